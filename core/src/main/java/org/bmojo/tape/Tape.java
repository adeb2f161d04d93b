package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Notes operations as they run and plays their backward passes in reverse order. For one thread and
 * one backward pass; close it to free what an abandoned pass still keeps.
 */
public final class Tape implements AutoCloseable {
  /** An operation's backward pass: given the gradient of its output, adds those of its inputs. */
  public interface Backward {
    /** Calls {@link Var#addGradient} on the inputs it captured. */
    void run(Tensor gradient);
  }

  /** What the backward pass comes by, last first. */
  private sealed interface Entry {
    List<Tensor> kept();

    void play();

    default void release() {
      kept().forEach(Tensor::releaseReference);
    }
  }

  private record Operation(Var output, List<Tensor> kept, Backward backward) implements Entry {
    @Override
    public void play() {
      Tensor gradient = output.gradient();
      if (gradient != null) backward.run(gradient);
    }

    @Override
    public void release() {
      Entry.super.release();
      output.releaseGradient();
    }
  }

  /** Where a tensor was emptied and is made again. */
  private record Emptied(Tensor value, List<Tensor> kept, Supplier<Tensor> again) implements Entry {
    @Override
    public void play() {
      value.set_data(again.get());
    }
  }

  /** Some operations, as one function of x and of parameters. */
  public interface Part {
    /** Runs them on {@code tape}. */
    Var run(Tape tape, Var x);
  }

  private static final Consumer<Parameter> NOBODY = _ -> {};

  private final boolean recording;
  private final @Nullable Tape outer; // which has what runs here as one entry
  private double scale = 1; // of the backward pass under way
  private boolean thrifty;

  /** Before which entry each parameter was first read: it has its whole gradient after that. */
  private final Map<Parameter, Integer> firstReads = new IdentityHashMap<>();

  private final List<Entry> entries = new ArrayList<>();
  private final List<Var> extraLosses = new ArrayList<>();

  private Tape(boolean recording, @Nullable Tape outer) {
    this.recording = recording;
    this.outer = outer;
  }

  /** A tape for training. */
  public static Tape recording() {
    return new Tape(true, null);
  }

  /** A tape that notes nothing: for evaluation and generation. */
  public static Tape off() {
    return new Tape(false, null);
  }

  /** Whether anything is noted. */
  public boolean isRecording() {
    return recording;
  }

  /** The inputs of an operation; nulls (absent ones) are left out. */
  public static List<Var> inputs(@Nullable Var... vars) {
    return Arrays.stream(vars).filter(Objects::nonNull).toList();
  }

  /** The tensors a backward pass reads; nulls are left out. */
  public static List<Tensor> keeping(@Nullable Tensor... tensors) {
    return Arrays.stream(tensors).filter(Objects::nonNull).toList();
  }

  /**
   * Notes an operation.
   *
   * @param output what it made
   * @param inputs what it read; if none needs a gradient, nothing is noted
   * @param kept the tensors that {@code backward} reads, kept alive until it has run
   * @return the output as a variable
   */
  public Var record(Tensor output, List<Var> inputs, List<Tensor> kept, Backward backward) {
    reads(inputs);
    if (!recording || inputs.stream().noneMatch(Var::needsGradient)) return Var.constant(output);
    kept.forEach(Tensor::retainReference);
    Var result = new Var(output, true);
    entries.add(new Operation(result, kept, backward));
    return result;
  }

  /** Notes which parameters the next entry reads. */
  void reads(List<Var> inputs) {
    if (outer != null) outer.reads(inputs);
    if (!recording) return;
    for (Var input : inputs) {
      if (input instanceof Parameter p) firstReads.putIfAbsent(p, entries.size());
    }
  }

  /** Whether {@link #spare} does anything; not so at first. */
  public void thrifty(boolean on) {
    thrifty = on;
  }

  /**
   * Gives the memory of {@code made} back, until the backward pass comes by here and makes it
   * again. Called after the last operation that reads it. A view of it that an operation keeps
   * holds the memory, so that nothing is won, nor lost.
   *
   * @param kept the tensors that {@code again} reads
   * @param again makes the same
   */
  public void spare(Var made, List<Tensor> kept, Supplier<Tensor> again) {
    if (!thrifty || !recording || !made.needsGradient()) return;
    Tensor value = made.value();
    List<Tensor> alive = new ArrayList<>(kept);
    alive.add(value);
    alive.forEach(Tensor::retainReference);
    entries.add(new Emptied(value, alive, again));
    try (Scope scope = new Scope()) {
      value.set_data(Tensors.zeros(value, 0));
    }
  }

  /**
   * Runs {@code part} without keeping what its operations made: they run again, noted this time,
   * when the backward pass comes by. Losses that the part adds of its own count then, once.
   *
   * @param part the same results each time; nothing outside reads what it makes but its output
   */
  public Var recomputed(Var x, Part part) {
    return recomputed(x, List.of(), part);
  }

  /**
   * The same.
   *
   * @param kept tensors that the part reads besides, kept alive until it has run again
   */
  public Var recomputed(Var x, List<Tensor> kept, Part part) {
    if (!recording) return part.run(this, x);
    try (Scope scope = new Scope();
        Tape off = new Tape(false, this)) {
      Tensor input = x.value();
      Tensor output = scope.keep(part.run(off, x.detached()).value());
      List<Tensor> read = new ArrayList<>(kept);
      read.add(input);
      read.forEach(Tensor::retainReference);
      Var result = new Var(output, true);
      entries.add(
          new Operation(
              result,
              read,
              dy -> {
                Var again = Var.leaf(input);
                try (Tape inner = recording()) {
                  Var y = part.run(inner, again);
                  inner.play(y, dy, scale, NOBODY);
                }
                Tensor gradient = again.gradient();
                if (gradient != null) x.addGradient(gradient);
                again.releaseGradient();
              }));
      return result;
    }
  }

  /** Adds a scalar to the loss that {@link #backward} starts from, such as the innovation's own. */
  public void addLoss(Var loss) {
    if (recording && loss.needsGradient()) {
      loss.value().retainReference();
      extraLosses.add(loss);
    }
  }

  /** The scalars added so far. */
  public List<Var> extraLosses() {
    return extraLosses;
  }

  /**
   * Gradients of {@code loss} plus the extra losses, times {@code scale}, into every parameter that
   * took part. The tape is empty afterwards.
   *
   * @param loss a scalar made on this tape
   * @param scale 1, or 1/n when n passes are accumulated
   */
  public void backward(Var loss, double scale) {
    backward(loss, scale, NOBODY);
  }

  /**
   * The same.
   *
   * @param whole is told of each parameter that took part as soon as no more will flow there
   */
  public void backward(Var loss, double scale, Consumer<Parameter> whole) {
    try (Scope scope = new Scope()) {
      play(loss, torch.ones_like(loss.value()).mul(scalar(scale)), scale, whole);
    }
  }

  private void play(Var output, Tensor gradientOfOutput, double scale, Consumer<Parameter> whole) {
    this.scale = scale;
    Map<Integer, List<Parameter>> last = new HashMap<>();
    firstReads.forEach((p, at) -> last.computeIfAbsent(at, _ -> new ArrayList<>()).add(p));
    try (Scope scope = new Scope()) {
      output.addGradient(gradientOfOutput);
      for (Var extra : extraLosses) {
        extra.addGradient(torch.ones_like(extra.value()).mul(scalar(scale)));
      }
    }
    while (!entries.isEmpty()) {
      Entry entry = entries.removeLast();
      try (Scope scope = new Scope()) {
        entry.play();
      } finally {
        entry.release();
      }
      last.getOrDefault(entries.size(), List.of()).forEach(whole);
    }
    close();
  }

  @Override
  public void close() {
    while (!entries.isEmpty()) entries.removeLast().release();
    extraLosses.forEach(v -> v.value().releaseReference());
    extraLosses.clear();
    firstReads.clear();
  }
}
