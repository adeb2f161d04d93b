package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.SideStream;
import org.bmojo.kernels.torch.Later;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.Trainable;
import org.bmojo.parallel.Group;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The training loop: batch, loss, gradients, clip, update. Whatever else happens is the caller's.
 */
public final class Trainer implements AutoCloseable {
  /**
   * One update.
   *
   * @param number from 1
   * @param loss mean cross-entropy per labelled token, nats
   * @param gradientNorm before clipping
   * @param learningRate of this update
   * @param tokens read for it
   * @param skipped why it was left out, as the {@link Guard} wanted; null if it was applied
   */
  public record Step(
      long number,
      double loss,
      double gradientNorm,
      double learningRate,
      long tokens,
      @Nullable String skipped) {}

  /** Makes the batches of one update, in the caller's scope; more than one are accumulated. */
  public interface BatchSupplier {
    /** The batches of update {@code number}; among processes, those of this one. */
    List<Batch> batches(long number);

    /** What of an update's labelled tokens they have, if there are so many processes. */
    default double share(int processes) {
      return 1.0 / processes;
    }
  }

  /**
   * Is handed every update: to print, evaluate, save or stop.
   *
   * <p>A GPU is given the next update before the last one is reported, so that it never waits for
   * the host. A listener that looks at the model while it is told, says so for that update.
   */
  public interface Listener {
    /** Returns whether to go on; on a GPU, an update that was queued by then is reported still. */
    boolean stepped(Step step);

    /** Whether the model must stand still while update {@code number} is reported. */
    default boolean looksAtModel(long number) {
      return false;
    }

    /** Whether this process is to end. If one of several is, all stop after the same update. */
    default boolean asksToEnd() {
      return false;
    }
  }

  /** Updates before a recording: they compile kernels and fill what remembers. */
  private static final int WARM_UPS = 3;

  private final Trainable model;
  private final Optimizer optimizer;
  private final Schedule schedule;
  private final Guard.Watch watch;
  private final @Nullable Group group;
  private boolean ended;
  private int warmUps = -1; // before a recording; negative for none
  private boolean recording;
  private @Nullable RecordedUpdate recorded;

  /** Trains {@code model} in place; stops where the loss is no number. */
  public Trainer(Trainable model, Optimizer.Settings settings, Schedule schedule) {
    this(model, settings, schedule, Guard.STANDARD, null);
  }

  /**
   * Trains {@code model} in place, perhaps together with other processes, each on batches of its
   * own. They share out the optimizer's state, and overlap their sums with the backward pass.
   *
   * @param guard says which updates are left out: the same ones in all processes
   * @param group in which all begin with the first one's weights; null for none
   */
  public Trainer(
      Trainable model,
      Optimizer.Settings settings,
      Schedule schedule,
      Guard guard,
      @Nullable Group group) {
    this.model = model;
    this.optimizer = new Optimizer(model.parameters(), settings, group);
    this.schedule = schedule;
    this.watch = new Guard.Watch(guard);
    this.group = group;
    if (group != null) model.parameters().values().forEach(p -> share(p, group));
  }

  private static void share(Parameter p, Group group) {
    group.copyFrom(0, p.master());
    if (p.isMixed()) p.value().copy_(p.master());
  }

  /**
   * On a GPU, has {@link #run} record an update once it has seen a few, and launch the recording
   * from then on, wherever batches have the shape of the first: the same numbers, and the host has
   * next to nothing to do. Updates of other shapes, or with unlabelled tokens, run as ever.
   *
   * @throws BadInput on a CPU, among several processes, and for models whose passes differ from
   *     batch to batch
   */
  public void recordUpdates() {
    String found = null;
    if (model.device().is_cpu()) found = "a CPU";
    else if (group != null) found = group.ranks().size() + " processes";
    else if (!model.repeats()) found = "a model whose passes differ from batch to batch";
    if (found != null) {
      throw new BadInput(
          "updates as CUDA graphs with " + found,
          "expected one GPU, windows of one length and no carried memory",
          "Leave --graph out");
    }
    recordUpdates(WARM_UPS);
  }

  void recordUpdates(int warmUps) {
    this.warmUps = warmUps;
  }

  /** Shows the guard losses of updates taken before, so that it knows what is usual. */
  public void remember(List<Double> losses) {
    losses.forEach(watch::accept);
  }

  /** Updates left out so far. */
  public long skipped() {
    return watch.skipped();
  }

  /** Whether some process asked for an end, and all have stopped. */
  public boolean ended() {
    return ended;
  }

  /** The optimizer, for checkpoints. */
  public Optimizer optimizer() {
    return optimizer;
  }

  /** The same with one batch an update, taken from {@code data}. */
  public void run(BatchSource data, Listener listener) {
    run(
        _ -> {
          var next = data.next();
          return List.of(new Batch(next.inputs(), next.targets(), next.inputs().numel()));
        },
        listener);
  }

  /**
   * Runs until the schedule's last step or until the listener has had enough.
   *
   * @throws DivergedException if the guard refuses an update; nothing was updated with it
   */
  public void run(BatchSupplier data, Listener listener) {
    if (warmUps < 0 || model.device().is_cpu()) {
      loop(data, listener);
    } else {
      // Nothing can be recorded on the default stream.
      try (SideStream _ = new SideStream(model.device().index())) {
        loop(data, listener);
      }
    }
  }

  private void loop(BatchSupplier data, Listener listener) {
    boolean ahead = !model.device().is_cpu();
    recording = warmUps >= 0;
    Deque<Pending> queued = new ArrayDeque<>(); // at most two
    boolean on = true;
    try {
      while (on && optimizer.steps() < schedule.steps()) {
        Pending next = queue(data, listener.asksToEnd());
        queued.add(next);
        int under = ahead && !listener.looksAtModel(next.number) ? 1 : 0;
        while (on && queued.size() > under) {
          on = listener.stepped(finish(queued.remove()));
          if (group == null && listener.asksToEnd()) ended = true;
          on &= !ended;
        }
      }
      while (!queued.isEmpty()) listener.stepped(finish(queued.remove()));
    } finally {
      queued.forEach(p -> p.numbers.close());
      if (recorded != null) recorded.close();
      recorded = null;
      recording = false;
    }
  }

  /**
   * One update.
   *
   * @throws DivergedException if the guard refuses the update; nothing was updated with it
   */
  public Step step(BatchSupplier data) {
    return finish(queue(data, false));
  }

  /**
   * An update that the device may not have reached yet; its numbers are loss, norm and how many
   * processes ask for an end.
   */
  private record Pending(long number, double rate, long tokens, double limit, Later numbers) {}

  private Pending queue(BatchSupplier data, boolean end) {
    long number = optimizer.steps() + 1;
    double rate = schedule.rate(number);
    double limit = watch.limit(); // On a GPU, without the update that is under way.
    try (Scope scope = new Scope()) {
      List<Batch> batches = data.batches(number);
      double ours = group == null ? 1 : data.share(group.ranks().size());
      long tokens = Math.round(batches.stream().mapToLong(Batch::tokens).sum() / ours);
      RecordedUpdate update = recorded(batches);
      Later numbers =
          update == null
              ? queue(batches, ours, rate, limit, end)
              : update.run(batches, rate, limit, end);
      return new Pending(number, rate, tokens, limit, numbers);
    }
  }

  /** What runs an update of these batches as a whole; null where it is run kernel by kernel. */
  private @Nullable RecordedUpdate recorded(List<Batch> batches) {
    if (!recording) return null;
    if (recorded == null && RecordedUpdate.suits(batches)) {
      Tensor like = model.parameters().values().iterator().next().value();
      recorded = new RecordedUpdate(b -> passes(b, 1), optimizer, like, batches, warmUps);
    }
    if (recorded == null || !recorded.serves(batches)) return null;
    batches.forEach(model::check);
    return recorded;
  }

  private Later queue(List<Batch> batches, double ours, double rate, double limit, boolean end) {
    Tensor loss = passes(batches, ours);
    Tensor norm = optimizer.gradientNorm();
    Tensor asked = torch.full_like(loss, scalar(end ? 1 : 0));
    if (group != null) {
      Tensor sums = stack(0, loss, norm.square(), asked);
      group.sum(sums);
      loss = sums.select(0, 0);
      norm = sums.select(0, 1).sqrt();
      asked = sums.select(0, 2);
    }
    norm = accepted(norm, loss, limit);
    optimizer.queue(rate, norm);
    return new Later(stack(0, loss, norm, asked));
  }

  /**
   * Forward and backward passes.
   *
   * @param ours share of the update's labelled tokens that these batches have
   * @return this share of the loss, a float64 scalar
   */
  private Tensor passes(List<Batch> batches, double ours) {
    long labelled = batches.stream().mapToLong(Batch::labelled).sum();
    Tensor loss = null;
    for (Batch batch : batches) {
      // Every labelled token counts the same, whatever batch it came in.
      double share = (double) batch.labelled() / Math.max(1, labelled) * ours;
      boolean last = batch == batches.getLast();
      try (Scope pass = new Scope();
          Tape tape = Tape.recording()) {
        Var mean = model.loss(tape, batch);
        Tensor part = mean.value().to(ScalarType.Double).mul(scalar(share));
        loss = pass.keep(loss == null ? part : loss.add(part));
        if (last) tape.backward(mean, share, optimizer::whole);
        else tape.backward(mean, share);
      }
    }
    if (loss == null) throw new IllegalStateException("an update without batches");
    return loss;
  }

  /** The norm; no number, so that nothing is updated, where the loss is none or is too high. */
  private static Tensor accepted(Tensor norm, Tensor loss, double limit) {
    Tensor finite = norm.add(loss.mul(scalar(0)));
    if (!Double.isFinite(limit)) return finite;
    return finite.masked_fill(loss.gt(new Scalar(limit)), new Scalar(Double.NaN));
  }

  private Step finish(Pending pending) {
    double[] numbers;
    try (Later later = pending.numbers) {
      numbers = later.get();
    }
    double loss = numbers[0], norm = numbers[1];
    ended |= numbers[2] > 0;
    String wrong = wrong(loss, norm, pending.limit);
    if (wrong == null) {
      watch.accept(loss);
    } else if (!watch.skip()) {
      optimizer.undo();
      throw new DivergedException(wrong, pending.number, pending.rate, watch.inRow());
    }
    return new Step(pending.number, loss, norm, pending.rate, pending.tokens, wrong);
  }

  private static @Nullable String wrong(double loss, double norm, double limit) {
    if (!Double.isFinite(loss)) return "loss is " + loss;
    if (loss > limit) {
      return String.format(Locale.ROOT, "loss is %.4f, above the limit of %.4f", loss, limit);
    }
    return Double.isFinite(norm) ? null : "gradient norm is " + norm;
  }

  @Override
  public void close() {
    optimizer.close();
  }
}
