package org.bmojo.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.error.BadInput;
import org.bmojo.eval.TextScore;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.parallel.Group;
import org.bmojo.parallel.Ranks;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.RateFinder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo train}: a language model from a text. */
@Command(
    name = "train",
    description = {
      "Trains a language model on a text.",
      "The run's folder holds the model, the text as tokens, and metrics.jsonl. A run that was"
          + " stopped, in whatever way, goes on with --resume as if it had not been.",
      "Started by torchrun, srun, mpirun or a training operator, or with RANK, WORLD_SIZE,"
          + " LOCAL_RANK, MASTER_ADDR and MASTER_PORT set, it is one of several processes that"
          + " train together; see runs/launch."
    },
    footer = {
      "  ./bmojo train book.txt --out runs/book",
      "  ./bmojo train jdk --out runs/java --model bmojo-small --steps 2000 --sample-every 500",
      "  ./bmojo train wiki.jsonl.gz#body --out runs/wiki --tokenizer gpt2/tokenizer.json",
      "  ./bmojo train --resume --out runs/book",
      "  ./bmojo train book.txt --out runs/book --dry-run",
      "  tail -f runs/book/metrics.jsonl"
    })
final class Train implements Callable<Integer> {
  @Mixin Answer answer;
  @Mixin TrainOptions options;
  @Mixin HowOptions how;

  @Parameters(
      arity = "0..1",
      paramLabel = "DATA",
      description =
          "A text file, folder, .zip, .jar, .gz, .jsonl or .parquet (FILE.jsonl#FIELD), the word"
              + " jdk for the JDK's own source, or a folder that data prepare made.")
  @Nullable String data;

  @Option(names = "--out", required = true, paramLabel = "RUN", description = "The run's folder.")
  Path out;

  @Option(
      names = "--resume",
      description = "Go on with the run in RUN, or begin it if there is none.")
  boolean resume;

  @Option(
      names = "--stop-after",
      paramLabel = "STEP",
      description = "Stop there, as if interrupted; --resume goes on.")
  long stopAfter = Long.MAX_VALUE;

  @Option(
      names = "--eval-every",
      paramLabel = "N",
      description = "Score held-out documents every N steps; 0 for never (${DEFAULT-VALUE}).")
  int evalEvery = 200;

  @Option(
      names = "--eval-tokens",
      paramLabel = "N",
      description = "Score that many of their tokens (${DEFAULT-VALUE}).")
  long evalTokens = 20_000;

  @Option(
      names = "--sample-every",
      paramLabel = "N",
      description = "Write something every N steps; 0 for never (${DEFAULT-VALUE}).")
  int sampleEvery;

  @Option(
      names = "--save-every",
      paramLabel = "N",
      description = "Save every N steps; 0 for at the end only (${DEFAULT-VALUE}).")
  int saveEvery = 200;

  @Option(
      names = "--dry-run",
      description = "Say what would be trained, in which memory and time, and do nothing.")
  boolean dryRun;

  @Option(
      names = "--lr-find",
      description = "Try learning rates in a short ramp, suggest one, and leave nothing behind.")
  boolean rateFind;

  /**
   * @param steps taken in all
   * @param loss of the last one, if any was taken now
   * @param bitsPerByte of held-out documents at the end, if there are any
   * @param finished whether the schedule's last step was taken
   */
  record Outcome(
      String model,
      long steps,
      @Nullable Double loss,
      @Nullable Double bitsPerByte,
      long skipped,
      boolean finished) {}

  @Override
  public Integer call() {
    RunFolder folder = new RunFolder(out);
    Ranks ranks = Ranks.of(System.getenv());
    Placement placement = options.placement(ranks);
    if (dryRun || rateFind) {
      requireAlone(ranks);
      TrainingRun.How alone = how.how(placement, null);
      return dryRun ? dryRun(folder, alone) : rateFind(folder, alone);
    }
    try (Interrupt interrupt = new Interrupt();
        Group group = ranks.areMany() ? join(ranks, placement) : null) {
      int exitCode = train(folder, how.how(placement, group), interrupt);
      if (group != null) group.leave();
      return exitCode;
    }
  }

  private static void requireAlone(Ranks ranks) {
    if (!ranks.areMany()) return;
    throw new BadInput(
        ranks.size() + " processes", "expected one for --dry-run and --lr-find", "Start one");
  }

  private static Group join(Ranks ranks, Placement placement) {
    Group group = Group.join(ranks, placement.libtorch(), Group.PATIENCE);
    // Between CPUs whatever is under way fails at once; a GPU would wait for good.
    Duration grace = Duration.ofSeconds(placement.device().equals("cpu") ? 20 : 1);
    group.whenLost(
        grace,
        lost -> {
          System.err.println("bmojo train: " + lost.getMessage() + ".");
          Quit.now(ExitCode.SOFTWARE);
        });
    return group;
  }

  private int train(RunFolder folder, TrainingRun.How how, Interrupt interrupt) {
    Group group = how.group();
    boolean found = Checkpoint.exists(out);
    // One looks for all: when the others would, the first may have begun the run already.
    boolean exists = group == null ? found : Boolean.parseBoolean(group.first(found + ""));
    if (exists && !resume) {
      throw new BadInput(
          out + " holds a run already",
          "expected a new folder",
          "Add --resume to go on with it, or choose another --out");
    }
    var every = new TrainingRun.Every(evalEvery, sampleEvery, saveEvery, evalTokens);
    try (TrainingRun run = exists ? resume(folder, how) : start(folder, how)) {
      boolean finished = run.train(every, stopAfter, interrupt);
      if (how.ranks().isFirst()) print(folder, run, finished);
      return run.interrupted() || interrupt.isAsked() ? Failures.INTERRUPTED : ExitCode.OK;
    }
  }

  private int dryRun(RunFolder folder, TrainingRun.How how) {
    Tokenizer tokenizer = options.tokenizer();
    DryRun.Plan plan =
        DryRun.plan(folder, options.model(tokenizer), options.settings(requireData()), how);
    answer.print(plan, DryRun.text(plan));
    return plan.fits() ? ExitCode.OK : ExitCode.USAGE;
  }

  private int rateFind(RunFolder folder, TrainingRun.How how) {
    Tokenizer tokenizer = options.tokenizer();
    RateFinder.Curve curve =
        RateSearch.run(
            folder, options.model(tokenizer), tokenizer, options.settings(requireData()), how);
    answer.print(curve, RateSearch.text(curve));
    return ExitCode.OK;
  }

  private String requireData() {
    if (data != null) return data;
    throw new BadInput(
        resume ? "no run in " + out : "no data",
        "expected a text to train on",
        "Name a file or folder, or jdk");
  }

  private TrainingRun start(RunFolder folder, TrainingRun.How how) {
    TrainingState.Settings settings = options.settings(requireData());
    try (Checkpoint base = options.base()) {
      Tokenizer tokenizer = base == null ? options.tokenizer() : base.tokenizer();
      ModelConfig config = base == null ? options.model(tokenizer) : options.model(base);
      LanguageModel weights = base == null ? null : base.model();
      return TrainingRun.start(folder, config, weights, tokenizer, settings, how);
    }
  }

  private TrainingRun resume(RunFolder folder, TrainingRun.How how) {
    Checkpoint checkpoint = Checkpoint.open(out);
    try {
      TrainingState state = checkpoint.training();
      if (state == null) {
        throw new BadInput(
            out + " holds a model without its training state",
            "expected training.json",
            "Resume a run that train made, or start a new one");
      }
      options.requireSame(data, state.settings(), checkpoint);
      return TrainingRun.resume(folder, checkpoint, options.lengthened(state.settings()), how);
    } catch (RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  private void print(RunFolder folder, TrainingRun run, boolean finished) {
    TextScore score = run.score();
    Outcome outcome =
        new Outcome(
            folder.model().toString(),
            run.step(),
            Double.isNaN(run.loss()) ? null : run.loss(),
            score == null ? null : score.bitsPerByte(),
            run.skipped(),
            finished);
    StringBuilder text = new StringBuilder();
    text.append(finished ? "finished" : "stopped").append(" after step ").append(run.step());
    if (outcome.loss != null) text.append(String.format(Locale.ROOT, ", loss %.4f", outcome.loss));
    if (outcome.bitsPerByte != null) {
      text.append(String.format(Locale.ROOT, ", held out %.4f bits per byte", outcome.bitsPerByte));
    }
    if (outcome.skipped > 0) text.append(", ").append(outcome.skipped).append(" left out");
    text.append(System.lineSeparator());
    text.append(
        finished
            ? "Try: ./bmojo generate " + out
            : "Go on with: ./bmojo train --resume --out " + out);
    answer.print(outcome, text.toString());
  }
}
