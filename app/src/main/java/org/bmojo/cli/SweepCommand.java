package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bmojo.error.BadInput;
import org.bmojo.sweep.Commit;
import org.bmojo.sweep.Cost;
import org.bmojo.sweep.Journal;
import org.bmojo.sweep.Outcome;
import org.bmojo.sweep.Sweep;
import org.bmojo.sweep.SweepRun;
import org.bmojo.sweep.SweepTrial;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo sweep}: many models on many tasks. */
@Command(
    name = "sweep",
    description = {
      "Trains every model of a plan on every task of it, with every learning rate and seed, and"
          + " keeps a line of JSON for each.",
      "Trials whose line is there already are skipped: a sweep that was stopped, in whatever way,"
          + " goes on when it is started again."
    },
    footer = {
      "  ./bmojo sweep runs/recall/smoke.yaml --dry-run        what it would take",
      "  ./bmojo sweep runs/recall/smoke.yaml --workers 2",
      "  ./bmojo sweep runs/recall/mqar.yaml --out results/mqar --only bmojo --steps 4000",
      "  ./bmojo sweep runs/recall/mqar.yaml --out results/mqar --shard 1/4     on each of 4"
          + " machines",
      "  ./bmojo report results/mqar"
    })
final class SweepCommand implements Callable<Integer> {
  private static final Pattern SHARD = Pattern.compile("([1-9]\\d{0,3})/([1-9]\\d{0,3})");

  @Mixin Answer answer;

  @Parameters(paramLabel = "PLAN", description = "A YAML file; runs/recall has examples.")
  Path file;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Where the lines go (results/ and the plan's name).")
  @Nullable Path out;

  @Option(names = "--dry-run", description = "Show the trials and what they take; train none.")
  boolean dry;

  @Mixin RecallPlacement placement;

  @Option(
      names = "--workers",
      paramLabel = "N",
      description = "Trials at a time; native threads are shared out (${DEFAULT-VALUE}).")
  int workers = 1;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      description = "The I-th of N equal parts, into a file of its own.")
  @Nullable String shard;

  @Option(
      names = "--only",
      paramLabel = "WORDS",
      description = "Trials whose line in --dry-run has these words.")
  @Nullable String only;

  @Option(names = "--steps", paramLabel = "N", description = "Updates, instead of the plan's.")
  @Nullable Long steps;

  @Option(names = "--batch", paramLabel = "B", description = "Examples, instead of the plan's.")
  @Nullable Integer batch;

  @Option(
      names = "--seeds",
      paramLabel = "N,…",
      split = ",",
      description = "Seeds, instead of the plan's.")
  @Nullable List<Long> seeds;

  /**
   * @param trials those of this shard
   */
  record Plan(String sweep, List<Trial> trials, long pending, double operations) {}

  /**
   * @param done whether it has its line already
   */
  record Trial(
      String key,
      String task,
      String model,
      double learningRate,
      long seed,
      boolean done,
      Cost cost) {}

  /**
   * @param finished trials of this run
   * @param left trials that have no line yet
   */
  record Summary(String sweep, String folder, long finished, long left) {}

  @Override
  public Integer call() {
    if (workers < 1) {
      throw new BadInput(workers + " workers", "expected 1 or more", "Correct --workers");
    }
    Sweep sweep = Sweep.read(file, new Sweep.Overrides(steps, batch, seeds));
    String name = Journal.NAME;
    if (only != null) sweep = sweep.only(only);
    if (shard != null) {
      Matcher parts = SHARD.matcher(shard);
      int index = parts.matches() ? Integer.parseInt(parts.group(1)) : 0;
      int n = parts.matches() ? Integer.parseInt(parts.group(2)) : 0;
      if (index < 1 || index > n) {
        throw new BadInput(
            "shard " + shard, "expected I/N with 1 ≤ I ≤ N, such as 2/4", "Correct --shard");
      }
      sweep = sweep.shard(index, n);
      name = Journal.NAME + "-%d-of-%d".formatted(index, n);
    }
    Path folder = out == null ? Path.of("results", sweep.name()) : out;
    return dry ? show(sweep, folder) : run(sweep, folder, name);
  }

  private int run(Sweep sweep, Path folder, String name) {
    long[] finished = {0};
    try (Interrupt interrupt = new Interrupt();
        Journal journal = Journal.open(folder, name, System.err::println)) {
      List<SweepTrial> pending =
          sweep.trials().stream().filter(t -> !journal.has(t.key())).toList();
      long tokens = pending.stream().mapToLong(SweepCommand::tokens).sum();
      try (Progress progress = Progress.of("tokens", tokens)) {
        var observer =
            new SweepRun.Observer() {
              @Override
              public void advanced(long read) {
                progress.advance(read);
              }

              @Override
              public synchronized void finished(SweepTrial trial, Outcome outcome) {
                finished[0]++;
                progress.note(finished[0] + " of " + pending.size() + " trials");
                progress.say(line(trial, outcome));
              }
            };
        new SweepRun(sweep, journal, placement.of(), Commit.current(), observer, interrupt::isAsked)
            .run(workers);
      }
      long left = pending.size() - finished[0];
      String text =
          left == 0
              ? "all %d trials are in %s%nTry: ./bmojo report %s"
                  .formatted(sweep.trials().size(), folder, folder)
              : "stopped with %d trials left; the same command goes on".formatted(left);
      answer.print(new Summary(sweep.name(), folder.toString(), finished[0], left), text);
      return interrupt.isAsked() ? Failures.INTERRUPTED : ExitCode.OK;
    }
  }

  private static long tokens(SweepTrial trial) {
    Cost cost = Cost.of(trial.trial());
    return cost.trainTokens() + cost.testTokens();
  }

  private static String line(SweepTrial trial, Outcome o) {
    return String.format(
        Locale.ROOT,
        "%s, rate %.2g, seed %d: %s, %,d state bytes, %.0f s",
        trial.label(),
        o.learningRate(),
        o.seed(),
        o.failure() == null ? String.format(Locale.ROOT, "recall %.3f", o.recall()) : "diverged",
        o.stateBytes(),
        o.seconds());
  }

  // ---- Dry run --------------------------------------------------------------------------------

  private int show(Sweep sweep, Path folder) {
    List<Outcome> outcomes = Files.isDirectory(folder) ? Journal.read(folder) : List.of();
    List<String> done = outcomes.stream().map(Outcome::key).toList();
    List<Trial> trials =
        sweep.trials().stream()
            .map(t ->
                new Trial(
                    t.key(),
                    t.label().task(),
                    t.label().model(),
                    t.trial().schedule().peak(),
                    t.trial().seed(),
                    done.contains(t.key()),
                    Cost.of(t.trial())))
            .toList();
    List<Trial> pending = trials.stream().filter(t -> !t.done).toList();
    double operations = pending.stream().mapToDouble(t -> t.cost.operations()).sum();
    Plan plan = new Plan(sweep.name(), trials, pending.size(), operations);
    answer.print(plan, text(plan, speed(trials, outcomes)));
    return ExitCode.OK;
  }

  /** Operations a second of the trials done so far; 0 where there are none. */
  private static double speed(List<Trial> trials, List<Outcome> outcomes) {
    double operations = 0, seconds = 0;
    for (Outcome o : outcomes) {
      for (Trial t : trials) {
        if (!t.key.equals(o.key()) || o.failure() != null) continue;
        operations += t.cost.operations();
        seconds += o.seconds() + o.testSeconds();
      }
    }
    return seconds == 0 ? 0 : operations / seconds;
  }

  private static String text(Plan plan, double speed) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            "%-4s%12s%13s%12s%12s%9s%9s %5s  %s%n",
            "",
            "parameters",
            "state bytes",
            "training",
            "tests",
            "TFLOP",
            "rate",
            "seed",
            "trial"));
    for (Trial t : plan.trials) {
      text.append(
          String.format(
              Locale.ROOT,
              "%-4s%,12d%,13d%,12d%,12d%9.2f%9.2g %5d  %s: %s%n",
              t.done ? "done" : "",
              t.cost.parameters(),
              t.cost.stateBytes(),
              t.cost.trainTokens(),
              t.cost.testTokens(),
              t.cost.operations() / 1e12,
              t.learningRate,
              t.seed,
              t.task,
              t.model));
    }
    String todo = "%d trials, %d to do, %.1f TFLOP";
    text.append(
        String.format(Locale.ROOT, todo, plan.trials.size(), plan.pending, plan.operations / 1e12));
    text.append(
        speed == 0
            ? "; how long that takes is known once one of them has run"
            : String.format(
                Locale.ROOT,
                ", about %.1f hours one at a time, at the %.2f TFLOP/s of those done",
                plan.operations / speed / 3600,
                speed / 1e12));
    return text.toString();
  }
}
