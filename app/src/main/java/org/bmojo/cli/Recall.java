package org.bmojo.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.LongConsumer;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallTrial;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.Json;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.tasks.RecallScore.Slice;
import org.bmojo.tasks.Suite;
import org.bmojo.tasks.TaskChoice;
import org.bmojo.tasks.TaskKind;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code bmojo recall}: what a model can remember. */
@Command(
    name = "recall",
    description = {
      "Trains a small model on a task of memory and shows what it recalls, beside the bytes that it"
          + " remembers with.",
      "Answers are counted by the number of pairs in memory and by how many windows ago the answer"
          + " stood: what lies more than one window back per layer, attention alone cannot know."
    },
    footer = {
      "  ./bmojo recall --list                                     the tasks",
      "  ./bmojo recall mqar",
      "  ./bmojo recall mqar --model sliding --window 32",
      "  ./bmojo recall mqar --eidetic 8 --selection random --seed 1,2,3",
      "  ./bmojo recall induction --out runs/induction --test-lengths 256,4K,64K",
      "  ./bmojo recall induction --test runs/induction --test-lengths 1M"
    })
final class Recall implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(arity = "0..1", paramLabel = "TASK", description = "One of those in --list.")
  @Nullable String task;

  @Option(names = "--list", description = "Show the tasks.")
  boolean list;

  @Option(
      names = "--test",
      paramLabel = "FOLDER",
      description = "Test the model that --out kept there, instead of training one.")
  @Nullable Path kept;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Keep the model, metrics.jsonl and result.json there.")
  @Nullable Path out;

  @Option(names = "--steps", paramLabel = "N", description = "Updates (${DEFAULT-VALUE}).")
  long steps = 250;

  @Option(
      names = "--batch",
      paramLabel = "B",
      description = "Examples in an update (${DEFAULT-VALUE}).")
  int batch = 32;

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      description = "The highest learning rate (${DEFAULT-VALUE}).")
  double rate = 5e-3;

  @Option(names = "--decay", paramLabel = "X", description = "Weight decay (${DEFAULT-VALUE}).")
  double decay = Optimizer.Settings.STANDARD.decay();

  @Option(
      names = "--seed",
      paramLabel = "N,…",
      split = ",",
      description = "Decides weights and examples; several: train as often (${DEFAULT-VALUE}).")
  List<Long> seeds = List.of(1L);

  @Mixin RecallPlacement placement;
  @Mixin RecallTaskOptions sizes;
  @Mixin RecallModelOptions model;

  /**
   * @param tasks that can be asked for
   */
  record Catalogue(List<Entry> tasks) {}

  /**
   * @param counts what --pairs says of it, if anything
   */
  record Entry(String name, String description, @Nullable String counts) {}

  /**
   * @param stateBytes kept per sequence after the longest test
   * @param recall mean over runs
   */
  record Findings(
      TaskChoice task,
      JsonNode model,
      long parameters,
      long stateBytes,
      int window,
      double recall,
      List<Run> runs) {}

  /**
   * @param loss of the last update; null where nothing was trained
   * @param recall unweighted mean over tests
   */
  record Run(
      long seed,
      long steps,
      double seconds,
      @Nullable Double loss,
      double recall,
      List<RecallTrial.Test> tests) {}

  @Override
  public Integer call() {
    if (list) return list();
    if (task == null) {
      throw new BadInput("no task", "expected one", "./bmojo recall --list shows them");
    }
    TaskChoice choice = sizes.choice(TaskKind.named(task));
    List<Run> runs = new ArrayList<>();
    RecallTrial trial = trial(choice, seeds.getFirst());
    try (Interrupt interrupt = new Interrupt()) {
      for (long seed : seeds) {
        trial = trial(choice, seed);
        Run run = kept == null ? trained(trial, choice, interrupt) : tested(trial, kept);
        if (run == null) return Failures.INTERRUPTED;
        runs.add(run);
      }
    }
    Findings findings = findings(choice, trial, runs);
    answer.print(findings, text(findings));
    return ExitCode.OK;
  }

  private int list() {
    List<Entry> entries = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    for (TaskKind kind : TaskKind.values()) {
      entries.add(new Entry(kind.label(), kind.description(), kind.counted()));
      String counts = kind.counted() == null ? "" : " (--pairs: " + kind.counted() + ")";
      text.append(String.format("%-26s%s%s%n", kind.label(), kind.description(), counts));
    }
    answer.print(new Catalogue(entries), text.toString().stripTrailing());
    return ExitCode.OK;
  }

  private RecallTrial trial(TaskChoice choice, long seed) {
    Suite suite = choice.suite(seed);
    int vocabulary = suite.test().stream().mapToInt(s -> s.task().vocabulary()).max().orElse(1);
    ModelConfig config = kept == null ? model.config(vocabulary) : Checkpoint.config(kept);
    Optimizer.Settings standard = Optimizer.Settings.STANDARD;
    return new RecallTrial(
        kept == null ? model.model : kept.toString(),
        config,
        model.trainedEidetic,
        suite,
        batch,
        Schedule.cosine(rate, steps),
        new Optimizer.Settings(
            standard.beta1(), standard.beta2(), standard.eps(), decay, standard.clip()),
        model.unit(),
        seed);
  }

  private Findings findings(TaskChoice choice, RecallTrial trial, List<Run> runs) {
    return new Findings(
        choice,
        ModelJson.write(trial.model()),
        trial.parameters(),
        trial.stateBytes(),
        trial.window(),
        runs.stream().mapToDouble(Run::recall).average().orElse(0),
        runs);
  }

  // ---- Runs -----------------------------------------------------------------------------------

  /** Null where somebody interrupted. */
  private @Nullable Run trained(RecallTrial trial, TaskChoice choice, Interrupt interrupt) {
    @Nullable RunFolder folder = folder(trial);
    try (RecallMetrics metrics = RecallMetrics.in(folder)) {
      try (RecallTrial.Trained trained = train(trial, metrics, interrupt)) {
        if (interrupt.isAsked()) return null;
        List<RecallTrial.Test> tests = test(trial, progress -> trial.test(trained, progress));
        metrics.write(steps, tests);
        double loss = trained.losses().getLast();
        double recall = RecallTrial.mean(tests);
        Run run =
            new Run(trial.seed(), trained.losses().size(), trained.seconds(), loss, recall, tests);
        if (folder != null) keep(folder, trained.model(), findings(choice, trial, List.of(run)));
        return run;
      }
    }
  }

  private Run tested(RecallTrial trial, Path kept) {
    try (Checkpoint checkpoint = Checkpoint.open(kept)) {
      LanguageModel model = checkpoint.model();
      model.place(placement.of(), false);
      List<RecallTrial.Test> tests = test(trial, progress -> trial.test(model, progress));
      return new Run(trial.seed(), 0, 0, null, RecallTrial.mean(tests), tests);
    }
  }

  private RecallTrial.Trained train(RecallTrial trial, RecallMetrics metrics, Interrupt interrupt) {
    try (Progress progress = Progress.of("training", trial.schedule().steps())) {
      Trainer.Listener listener =
          step -> {
            metrics.write(step);
            progress.note(String.format(Locale.ROOT, "loss %.3f", step.loss()));
            progress.advance(1);
            return !interrupt.isAsked();
          };
      return trial.train(placement.of(), listener);
    }
  }

  private static List<RecallTrial.Test> test(
      RecallTrial trial, Function<LongConsumer, List<RecallTrial.Test>> tests) {
    try (Progress progress = Progress.of("testing, tokens", trial.testTokens())) {
      return tests.apply(progress::advance);
    }
  }

  private @Nullable RunFolder folder(RecallTrial trial) {
    if (out == null) return null;
    trial.refuseKeeping();
    Path own = seeds.size() == 1 ? out : out.resolve("seed-" + trial.seed());
    RunFolder folder = new RunFolder(own);
    folder.requireFree();
    return folder;
  }

  private static void keep(RunFolder folder, LanguageModel model, Findings findings) {
    Checkpoint.save(folder.model(), model, null);
    AtomicFile.replace(folder.path().resolve("result.json"), Json.bytes(findings));
  }

  // ---- Words ----------------------------------------------------------------------------------

  private String text(Findings f) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%s: %,d parameters, %,d state bytes%n",
            kept == null ? model.model : kept,
            f.parameters,
            f.stateBytes));
    for (Run run : f.runs) {
      String training =
          run.loss == null
              ? ""
              : String.format(
                  Locale.ROOT,
                  ", %d updates in %.1f s, loss %.3f",
                  run.steps,
                  run.seconds,
                  run.loss);
      text.append(String.format(Locale.ROOT, "%nrecall %.3f", run.recall));
      text.append(String.format("    seed %d%s%n", run.seed, training));
      for (RecallTrial.Test test : run.tests) describe(text, test, f.window);
    }
    if (f.runs.size() > 1) {
      double low = f.runs.stream().mapToDouble(Run::recall).min().orElse(0);
      double high = f.runs.stream().mapToDouble(Run::recall).max().orElse(0);
      String all = "%nrecall %.3f    mean of %d seeds, from %.3f to %.3f%n";
      text.append(String.format(Locale.ROOT, all, f.recall, f.runs.size(), low, high));
    }
    return text.toString().stripTrailing();
  }

  private static void describe(StringBuilder text, RecallTrial.Test test, int window) {
    String depth = test.depth() == null ? "" : ", depth " + test.depth();
    line(text, 2, "%,d tokens%s".formatted(test.length(), depth), test.recall());
    slices(text, "pairs", test.pairs());
    slices(text, "windows of " + window + " back", test.windows());
    if (test.lookups().size() > 1) slices(text, "look-ups", test.lookups());
  }

  private static void slices(StringBuilder text, String by, Map<String, Slice> slices) {
    if (slices.size() > 16) return; // In JSON all the same.
    slices.forEach((name, slice) -> line(text, 4, name + " " + by, slice.accuracy()));
  }

  private static void line(StringBuilder text, int indent, String what, double recall) {
    String label = " ".repeat(indent) + what;
    text.append(String.format(Locale.ROOT, "%-34s%.3f%n", label, recall));
  }
}
