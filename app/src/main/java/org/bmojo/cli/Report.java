package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.bmojo.error.BadInput;
import org.bmojo.sweep.Journal;
import org.bmojo.sweep.Outcome;
import org.bmojo.sweep.Results;
import org.bmojo.sweep.SweepPage;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo report}: what a sweep found, or how a training run went. */
@Command(
    name = "report",
    description = {
      "Draws a training run so far: loss, held-out bits per byte, learning rate, gradient norm,"
          + " speed, settings and environment.",
      "Of a sweep, what it has found so far: recall against state bytes, by distance, by length and"
          + " against every size that was varied. One page, which needs nothing from anywhere."
    },
    footer = {
      "  ./bmojo report runs/book",
      "  ./bmojo report results/mqar",
      "  ./bmojo report results/mqar --page mqar.html",
      "  ./bmojo report results/mqar --json"
    })
final class Report implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(paramLabel = "FOLDER", description = "A run's folder, or where sweep put its lines.")
  Path folder;

  @Option(
      names = "--page",
      paramLabel = "FILE",
      description = "Where the page goes (report.html in the folder).")
  @Nullable Path page;

  /**
   * @param models the best learning rate of each, on each task
   */
  record Findings(List<Model> models, String page) {}

  record Model(
      String task,
      String model,
      long steps,
      long parameters,
      long stateBytes,
      double learningRate,
      int seeds,
      double recall,
      double low,
      double high) {}

  @Override
  public Integer call() {
    if (!Files.isDirectory(folder)) {
      throw new BadInput(
          folder + " is no folder", "expected a run's or a sweep's", "Check the path");
    }
    Path file = page == null ? folder.resolve("report.html") : page;
    RunFolder run = new RunFolder(folder);
    if (RunPage.isRun(run)) {
      RunPage.Summary summary = RunPage.write(run, file);
      answer.print(summary, RunPage.words(summary) + "%nThe plots: %s".formatted(file));
      return ExitCode.OK;
    }
    List<Outcome> outcomes = Journal.read(folder);
    if (outcomes.isEmpty()) {
      throw new BadInput(
          folder + " holds neither a run nor a sweep's outcomes",
          "expected metrics.jsonl with updates, or trials*.jsonl",
          "./bmojo train or ./bmojo sweep makes them");
    }
    SweepPage.of(outcomes.getFirst().sweep(), outcomes).write(file);
    List<Results.Row> rows = Results.grouped(Results.rows(outcomes));
    List<Model> models =
        rows.stream()
            .map(r ->
                new Model(
                    r.label().task(),
                    r.label().model(),
                    r.steps(),
                    r.parameters(),
                    r.stateBytes(),
                    r.learningRate(),
                    r.seeds(),
                    r.recall(),
                    r.low(),
                    r.high()))
            .toList();
    answer.print(
        new Findings(models, file.toString()),
        columns(SweepPage.table(rows)) + "%n%nThe plots: %s".formatted(file));
    return ExitCode.OK;
  }

  /** Cells under each other, words to the left, numbers to the right. */
  private static String columns(List<List<String>> rows) {
    int[] widths = new int[rows.getFirst().size()];
    for (List<String> row : rows) {
      for (int c = 0; c < widths.length; c++) {
        widths[c] = Math.max(widths[c], row.get(c).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int c = 0; c < widths.length; c++) {
        String format = c < 2 || c == widths.length - 1 ? "%-" : "%";
        line.append(String.format(format + widths[c] + "s  ", row.get(c)));
      }
      text.append(line.toString().stripTrailing()).append(System.lineSeparator());
    }
    return text.toString().stripTrailing();
  }
}
