package org.bmojo.bench.train;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Gpu;
import org.bmojo.kernels.cuda.GpuTimer;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.model.Presets;
import org.bmojo.model.Recompute;
import org.bmojo.parallel.Group;
import org.bmojo.parallel.LostRankException;
import org.bmojo.parallel.Ranks;
import org.bmojo.train.Guard;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/**
 * Tokens per second of whole training steps: forward, backward, clipping and AdamW, on random ids.
 *
 * <pre>
 *   BMOJO_CUDA=1 ./bmojo bench train --size 130m --shape 16x2048 bmojo mamba
 * </pre>
 *
 * <p>A step's time is what passes between the ends of two steps while the next ones are queued, as
 * in a run; the median of {@value #STEPS} after {@value #WARM}. Beside it stands how long the
 * thread that queues the work was busy, and how long the GPU needs for a step that was queued
 * before it began: the step's time is about the larger one. With {@code --graph} a second line has
 * the same with each step launched as one CUDA graph.
 *
 * <p>Started as one of several processes ({@code RANK}, {@code WORLD_SIZE}, {@code LOCAL_RANK},
 * {@code MASTER_ADDR}, {@code MASTER_PORT}) it trains with the others, each on a batch of that
 * shape, and the first prints the tokens per second of all.
 */
public final class TrainLab {
  private static final int WARM = 5, STEPS = 15, VOCABULARY = 50_304;

  /** The step whose time on the GPU is taken, and for how long it is held up. */
  private static final int HELD = WARM + STEPS + 1, HOLD_MS = 300;

  /** System property: prints stack traces of what went wrong. */
  private static final String TRACE_PROPERTY = "bmojo.trace";

  private static final int PROFILED = WARM + STEPS - 4;

  private final Placement placement;
  private final boolean gpu;
  private final @Nullable Group group;
  private final Ranks ranks;
  private final How how;

  /**
   * What is done besides, and how.
   *
   * @param profiled whether to say what the GPU did in the last steps, kernel by kernel
   * @param graphs whether to time steps as CUDA graphs besides
   * @param recompute what backward passes make again
   */
  public record How(boolean profiled, boolean graphs, Recompute recompute) {}

  private TrainLab(Placement placement, @Nullable Group group, How how) {
    this.placement = placement;
    this.gpu = placement.libtorch().is_cuda();
    this.group = group;
    this.ranks = group == null ? Ranks.ALONE : group.ranks();
    this.how = how;
  }

  /**
   * Prints the table.
   *
   * @param shape {@code BxT}
   * @param families none for all
   */
  public static void run(String size, String shape, List<String> families, How how) {
    Presets.Size chosen = size(size);
    String[] sides = shape.split("x");
    if (sides.length != 2 || !sides[0].matches("\\d{1,6}") || !sides[1].matches("\\d{1,8}")) {
      throw new BadInput("shape " + shape, "expected BxT, such as 16x2048", "Correct it");
    }
    Ranks ranks = Ranks.of(System.getenv());
    Placement placement =
        torch.cuda_is_available() ? Placement.of("cuda", "bf16", ranks.local()) : Placement.CPU;
    if (placement.libtorch().is_cuda()) Gpu.ask(placement.libtorch().index()); // now the current
    if (ranks.isFirst()) {
      System.out.printf(
          "%-16s %13s %8s %8s %8s %9s %9s %8s%n",
          "model", "parameters", "ms", "host ms", "gpu ms", "tokens/s", "loss", "peak GB");
    }
    try (Group group =
        ranks.areMany() ? Group.join(ranks, placement.libtorch(), Group.PATIENCE) : null) {
      TrainLab lab = new TrainLab(placement, group, how);
      lab.run(chosen, Integer.parseInt(sides[0]), Integer.parseInt(sides[1]), families);
      if (group != null) group.leave();
    }
  }

  private void run(Presets.Size size, int batch, int context, List<String> families) {
    for (Presets.Family family : Presets.Family.values()) {
      String name = family.name().toLowerCase(Locale.ROOT).replace('_', '-');
      if (!families.isEmpty() && !families.contains(name)) continue;
      time(name, Presets.of(family, size, VOCABULARY), batch, context);
    }
  }

  private static Presets.Size size(String label) {
    for (Presets.Size size : Presets.Size.values()) {
      if (size.name().equalsIgnoreCase("S" + label.replace('.', '_'))) return size;
    }
    throw new BadInput("size " + label, "expected 130m, 370m, 790m or 1.4b", "Correct it");
  }

  private void time(String name, ModelConfig config, int batch, int context) {
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 1)) {
      if (gpu) model.place(placement, true);
      model.recompute(how.recompute);
      time(name, model, random(batch, context, ranks.rank()), false);
      if (how.graphs) time(name + " graph", model, random(batch, context, ranks.rank()), true);
    } catch (LostRankException e) {
      throw e;
    } catch (RuntimeException e) {
      if (ranks.areMany()) throw e; // The others are waiting.
      System.out.printf("%-16s %s%n", name, e.getMessage());
      if (System.getProperty(TRACE_PROPERTY) != null) e.printStackTrace(System.out);
    } finally {
      if (gpu) torch_cuda.getAllocator().emptyCache();
    }
  }

  private void time(String name, LanguageModel model, Batch data, boolean graph) {
    Schedule schedule = new Schedule(Schedule.Shape.CONSTANT, 1e-4, 0, 0, HELD);
    if (gpu) {
      torch_cuda.getAllocator().emptyCache();
      torch_cuda.getAllocator().resetPeakStats(placement.libtorch().index());
    }
    Watch watch;
    try (Trainer trainer =
            new Trainer(model, Optimizer.Settings.STANDARD, schedule, Guard.STANDARD, group);
        GpuTimer timer = gpu ? new GpuTimer() : null) {
      if (graph) trainer.recordUpdates();
      watch = new Watch(timer);
      trainer.run(
          number -> {
            if (number == HELD && timer != null) timer.start(HOLD_MS);
            return List.of(data);
          },
          watch);
      watch.printProfile();
    }
    if (!ranks.isFirst()) return;
    double median = watch.median();
    System.out.printf(
        "%-16s %,13d %8.1f %8.1f %8s %,9.0f %9.4f %8.1f%n",
        name,
        model.parameterCount(),
        median,
        watch.hostMillis(),
        gpu ? String.format(Locale.ROOT, "%.1f", watch.gpuMillis) : "-",
        ranks.size() * data.tokens() / median * 1e3,
        watch.loss,
        gpu ? peakBytes() / 1e9 : Double.NaN);
  }

  /** Takes the times of a run's steps. */
  private final class Watch implements Trainer.Listener {
    private final @Nullable GpuTimer timer;
    private final List<Double> times = new ArrayList<>();
    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    private final long[] busy = new long[2]; // this thread's own time, after warming up, at the end
    private @Nullable KernelProfile profile;
    private long last = System.nanoTime();
    double loss, gpuMillis;

    Watch(@Nullable GpuTimer timer) {
      this.timer = timer;
    }

    @Override
    public boolean stepped(Trainer.Step step) {
      long n = step.number();
      if (n == HELD) {
        if (timer != null) gpuMillis = timer.stop();
        return false;
      }
      long now = System.nanoTime();
      if (n > WARM) times.add((now - last) / 1e6);
      last = now;
      if (how.profiled && ranks.isFirst() && n == PROFILED) profile = KernelProfile.start();
      if (n <= WARM) busy[0] = threads.getCurrentThreadCpuTime();
      if (n < HELD - 1) busy[1] = threads.getCurrentThreadCpuTime();
      loss = step.loss();
      return true;
    }

    /** Nothing is queued behind the last step, whose end the clock is to see. */
    @Override
    public boolean looksAtModel(long number) {
      return number == HELD;
    }

    void printProfile() {
      if (profile != null) profile.print(WARM + STEPS - PROFILED, 45);
    }

    double median() {
      times.sort(null);
      return times.get(times.size() / 2);
    }

    double hostMillis() {
      return (busy[1] - busy[0]) / 1e6 / (STEPS - 1);
    }
  }

  private double peakBytes() {
    return torch_cuda
        .getAllocator()
        .getDeviceStats(placement.libtorch().index())
        .allocated_bytes()
        .peak();
  }

  private static Batch random(int batch, int context, int rank) {
    SplittableRandom random = new SplittableRandom(1 + rank);
    long[] ids = random.longs((long) batch * context, 0, VOCABULARY).toArray();
    long[] targets = random.longs((long) batch * context, 0, VOCABULARY).toArray();
    return Batch.of(ids, targets, batch);
  }
}
