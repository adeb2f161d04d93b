package org.bmojo.cli;

import static java.util.Objects.requireNonNullElse;

import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.error.BadInput;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.parallel.Ranks;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * What decides a training run's result. Null where not given: a new run then takes the default, a
 * resumed one what it began with, and an option that contradicts that is refused.
 */
final class TrainOptions {
  private static final String MODEL = "bmojo-small";
  private static final int BATCH = 8;
  private static final int CONTEXT = 256;
  private static final long STEPS = 1000;
  private static final double RATE = 2e-3;
  private static final double HELD_OUT = 0.05;

  @Option(
      names = "--model",
      paramLabel = "MODEL",
      description = {
        "A preset (bmojo-tiny, -small, -medium, -130m …; also bmojo-f, mamba, sliding, hybrid,"
            + " transformer) or a configuration's JSON; see info ("
            + MODEL
            + ")."
      })
  @Nullable String model;

  @Option(
      names = "--from",
      paramLabel = "FOLDER",
      description =
          "Begin a new run with the weights of that model or run, and its tokenizer; its schedule"
              + " and data are new.")
  @Nullable Path from;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "The word byte, or a tokenizer.json (byte).")
  @Nullable String tokenizer;

  @Option(
      names = "--batch",
      paramLabel = "B",
      description = "Sequences that a process takes at once (" + BATCH + ").")
  @Nullable Integer batch;

  @Option(
      names = "--accumulate",
      paramLabel = "N",
      description = "Batches whose gradients make one update, of all processes together (1).")
  @Nullable Integer accumulation;

  @Option(
      names = "--context",
      paramLabel = "T",
      description = "Tokens in a sequence (" + CONTEXT + ").")
  @Nullable Integer context;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Updates of the whole run (" + STEPS + "); more than before lengthens it.")
  @Nullable Long steps;

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      description = "The highest learning rate (" + RATE + ").")
  @Nullable Double rate;

  @Option(
      names = "--schedule",
      paramLabel = "SHAPE",
      description = "${COMPLETION-CANDIDATES} after the warm-up (COSINE).")
  Schedule.@Nullable Shape shape;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      description = "Steps to the highest rate (a twentieth of the run).")
  @Nullable Long warmup;

  @Option(names = "--decay", paramLabel = "X", description = "Weight decay (0.1).")
  @Nullable Double decay;

  @Option(
      names = "--clip",
      paramLabel = "X",
      description = "Largest norm of the gradients; 0 for any (1).")
  @Nullable Double clip;

  @Option(
      names = "--held-out",
      paramLabel = "SHARE",
      description = "Share of the documents not trained on (" + HELD_OUT + ").")
  @Nullable Double heldOut;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Decides weights, split and order: the same seed, the same model (1).")
  @Nullable Long seed;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = {
        "cpu, cuda or cuda:N (${DEFAULT-VALUE}); a resumed run may change it. Of several"
            + " processes on a machine, cuda gives each its own GPU."
      })
  String device = "cpu";

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description =
          "What matrices are multiplied in: fp32, or bf16 with float32 masters (bf16 on a GPU).")
  @Nullable String precision;

  /** The model whose weights a new run begins with; null for fresh ones. The caller's to close. */
  @Nullable Checkpoint base() {
    Path folder = from;
    if (folder == null) return null;
    if (tokenizer == null) return Checkpoint.open(folder);
    throw new BadInput(
        "--tokenizer beside --from",
        "expected one of them: a model keeps its own tokenizer",
        "Leave --tokenizer out");
  }

  /** The base's own configuration, or the one that --model says. */
  ModelConfig model(Checkpoint base) {
    return model == null ? base.model().config() : model(base.tokenizer());
  }

  /** Where one of several processes is to compute: on cuda, each on a GPU of its own. */
  Placement placement(Ranks ranks) {
    return Placement.of(device, precision, ranks.local());
  }

  /** The tokenizer named. */
  Tokenizer tokenizer() {
    return tokenizer(tokenizer);
  }

  /** The one called {@code name}: a file, or byte, which is also what no name stands for. */
  static Tokenizer tokenizer(@Nullable String name) {
    boolean bytes = name == null || name.equals("byte");
    return bytes ? new ByteTokenizer() : Tokenizer.load(Path.of(name));
  }

  /**
   * The model named, with the ids of {@code tokenizer}, and of a large one a few more: matrix
   * products want rows of whole vectors.
   */
  ModelConfig model(Tokenizer tokenizer) {
    int ids = tokenizer.vocabulary();
    int padded = ids > 1024 ? Math.ceilDiv(ids, 64) * 64 : ids;
    return ModelArgument.config(requireNonNullElse(model, MODEL), padded);
  }

  /** Those of a new run; how many tokens the data has is not known yet. */
  TrainingState.Settings settings(String data) {
    long length = requireNonNullElse(steps, STEPS);
    Schedule schedule =
        new Schedule(
            requireNonNullElse(shape, Schedule.Shape.COSINE),
            requireNonNullElse(rate, RATE),
            0.1,
            requireNonNullElse(warmup, Math.max(1, length / 20)),
            length);
    Optimizer.Settings standard = Optimizer.Settings.STANDARD;
    Optimizer.Settings optimizer =
        new Optimizer.Settings(
            standard.beta1(),
            standard.beta2(),
            standard.eps(),
            requireNonNullElse(decay, standard.decay()),
            requireNonNullElse(clip, standard.clip()));
    return new TrainingState.Settings(
        data,
        0,
        requireNonNullElse(heldOut, HELD_OUT),
        requireNonNullElse(batch, BATCH),
        requireNonNullElse(accumulation, 1),
        requireNonNullElse(context, CONTEXT),
        requireNonNullElse(seed, 1L),
        schedule,
        optimizer);
  }

  /** A resumed run's, longer if --steps says so. */
  TrainingState.Settings lengthened(TrainingState.Settings before) {
    Schedule s = before.schedule();
    if (steps == null || steps == s.steps()) return before;
    return before.with(new Schedule(s.shape(), s.peak(), s.floor(), s.warmup(), steps));
  }

  /** Refuses options that contradict what the run began with. */
  void requireSame(@Nullable String data, TrainingState.Settings before, Checkpoint checkpoint) {
    Schedule schedule = before.schedule();
    requireSame("DATA", data, before.data());
    requireSame("--batch", batch, before.batch());
    requireSame("--accumulate", accumulation, before.accumulation());
    requireSame("--context", context, before.context());
    requireSame("--lr", rate, schedule.peak());
    requireSame("--schedule", shape, schedule.shape());
    requireSame("--warmup", warmup, schedule.warmup());
    requireSame("--decay", decay, before.optimizer().decay());
    requireSame("--clip", clip, before.optimizer().clip());
    requireSame("--held-out", heldOut, before.heldOut());
    requireSame("--seed", seed, before.seed());
    if (steps != null && steps < schedule.steps()) {
      requireSame("--steps", steps, schedule.steps());
    }
    String own = checkpoint.tokenizer().name() + " (the run's)";
    boolean others = tokenizer().fingerprint() != checkpoint.tokenizer().fingerprint();
    if (tokenizer != null && others) requireSame("--tokenizer", tokenizer, own);
    ModelConfig config = checkpoint.model().config();
    boolean other =
        model != null && !ModelArgument.config(model, config.vocabulary()).equals(config);
    if (other) requireSame("--model", model, "the run's config.json");
  }

  private static <T> void requireSame(String name, @Nullable T given, T before) {
    if (given == null || Objects.equals(given, before)) return;
    throw new BadInput(
        name + " " + given,
        "expected " + before + ", with which the run began",
        "Leave it out, or start a new run with another --out");
  }
}
