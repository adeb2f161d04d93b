package org.bmojo.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.eval.BookNeedles;
import org.bmojo.eval.Continuations;
import org.bmojo.eval.LmScorer;
import org.bmojo.eval.SideBySide;
import org.bmojo.eval.Windows;
import org.bmojo.io.AtomicFile;
import org.bmojo.model.Placement;
import org.bmojo.report.Page;
import org.bmojo.sweep.Commit;
import org.bmojo.text.TokenCount;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

/** {@code bmojo eval needle}: recall of sentences hidden in a book. */
@Command(
    name = "needle",
    description = {
      "Hides sentences in long documents and asks for one of them at the end: a grid of lengths and"
          + " depths.",
      "An answer counts where the model, always choosing the likeliest token, would write just it."
          + " With --pairs there are other sentences of the same form beside the one asked for."
    },
    footer = {
      "  ./bmojo eval needle runs/book books/ --lengths 1K,4K,16K,64K",
      "  ./bmojo eval needle runs/book books/ --pairs 8 --samples 50 --out pairs.jsonl"
    })
final class EvalNeedle implements Callable<Integer> {
  /** Tokens of examples that are kept at once. */
  private static final long HELD = 1 << 24;

  private static final JsonMapper JSON = JsonMapper.builder().build();

  @Mixin Answer answer;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "DATA",
      description = "Texts to hide the sentences in, as eval lm takes them.")
  List<String> data = new ArrayList<>();

  @Option(
      names = "--lengths",
      split = ",",
      paramLabel = "N",
      description = "Tokens of the context, such as 2K or 1M (${DEFAULT-VALUE}).")
  List<String> lengths = List.of("1K", "2K", "4K", "8K", "16K", "32K", "64K");

  @Option(
      names = "--depths",
      split = ",",
      paramLabel = "X",
      description = "Where the sentence stands, 0 for the beginning (${DEFAULT-VALUE}).")
  List<Double> depths = List.of(0.0, 0.25, 0.5, 0.75, 1.0);

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Examples for each length and depth (${DEFAULT-VALUE}).")
  int samples = 20;

  @Option(
      names = "--pairs",
      paramLabel = "N",
      description = "Sentences in all, one of them asked for (${DEFAULT-VALUE}).")
  int pairs = 1;

  @Option(names = "--seed", paramLabel = "N", description = "Decides the examples (1).")
  long seed = 1;

  @Option(
      names = "--batch",
      paramLabel = "B",
      description = "Examples side by side at most (8, on a GPU 16).")
  int batch;

  @Mixin EvalPlacement where;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Gets a line of JSON for each length and depth.")
  @Nullable Path out;

  @Option(names = "--page", paramLabel = "FILE", description = "Gets the grid, as HTML.")
  @Nullable Path page;

  /**
   * A length and a depth.
   *
   * @param exact share of examples answered word for word
   * @param tokens share of the answers' tokens that would be chosen after right ones
   * @param logLikelihood mean of an answer's, nats
   */
  record Cell(
      String kind,
      int pairs,
      int length,
      double depth,
      int samples,
      double exact,
      double tokens,
      double logLikelihood) {}

  /** How it was measured. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Run(
      String kind,
      String model,
      List<String> data,
      long seed,
      String device,
      String precision,
      String version,
      @Nullable String commit,
      double seconds) {}

  record Grid(Run run, List<Cell> cells) {}

  @Override
  public Integer call() {
    int[] tokens = lengths.stream().mapToInt(TokenCount::parse).toArray();
    for (double depth : depths) {
      if (depth >= 0 && depth <= 1) continue;
      throw new BadInput("depth " + depth, "expected 0 to 1", "Correct --depths");
    }
    if (samples < 1) {
      throw new BadInput(samples + " samples", "expected at least 1", "Correct --samples");
    }
    long began = System.nanoTime();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Progress progress =
            Progress.of("examples", (long) samples * depths.size() * tokens.length)) {
      Tokenizer tokenizer = checkpoint.tokenizer();
      List<int[]> hay =
          EvalTexts.read(data, tokenizer, Windows.ALL).stream().map(LmScorer.Text::tokens).toList();
      Placement placement = where.place(checkpoint.model());
      Machine machine = Machine.of(placement);
      SideBySide reader = EvalPlacement.reader(checkpoint.model(), batch, machine);
      Continuations scorer = new Continuations(reader, tokenizer.endOfDocument());
      BookNeedles needles = new BookNeedles(tokenizer, pairs);
      List<Cell> cells = new ArrayList<>();
      for (int length : tokens) {
        for (double depth : depths) cells.add(cell(scorer, needles, hay, length, depth, progress));
        progress.note(lengths.get(cells.size() / depths.size() - 1) + ": " + shares(cells));
      }
      double seconds = (System.nanoTime() - began) / 1e9;
      String name = folder.toAbsolutePath().normalize().getFileName().toString();
      Run run =
          new Run(
              "run",
              name,
              data,
              seed,
              machine.name(),
              placement.precision(),
              Version.current(),
              Commit.current(),
              seconds);
      report(run, cells);
    }
    return ExitCode.OK;
  }

  private Cell cell(
      Continuations scorer,
      BookNeedles needles,
      List<int[]> hay,
      int length,
      double depth,
      Progress progress) {
    int exact = 0, right = 0, asked = 0;
    double sum = 0;
    int together = (int) Math.clamp(HELD / length, 1, samples);
    for (int from = 0; from < samples; from += together) {
      List<Continuations.Request> requests = new ArrayList<>();
      for (int i = from; i < Math.min(samples, from + together); i++) {
        // The same text and names at every depth: only the needle moves.
        requests.add(needles.example(hay, length, depth, seed * 1_000_003 + i));
      }
      for (Continuations.Likelihood l : scorer.score(requests, progress::advance)) {
        if (l.greedy()) exact++;
        right += l.right();
        asked += l.tokens();
        sum += l.logLikelihood();
      }
    }
    return new Cell(
        "cell",
        pairs,
        length,
        depth,
        samples,
        (double) exact / samples,
        (double) right / asked,
        sum / samples);
  }

  private void report(Run run, List<Cell> cells) {
    StringBuilder lines = new StringBuilder(JSON.writeValueAsString(run)).append('\n');
    cells.forEach(c -> lines.append(JSON.writeValueAsString(c)).append('\n'));
    if (out != null) AtomicFile.replace(out, lines.toString().getBytes(StandardCharsets.UTF_8));
    List<List<String>> rows = rows(cells);
    if (page != null) {
      new Page("Needles in books: " + run.model)
          .text(
              "%d sentences, one asked for; %s in %s.".formatted(pairs, run.device, run.precision))
          .section("Answered word for word, by length and depth")
          .table(rows)
          .write(page);
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      for (String value : row) text.append(String.format("%10s", value));
      text.append(System.lineSeparator());
    }
    answer.print(new Grid(run, cells), text.toString().stripTrailing());
  }

  private String shares(List<Cell> cells) {
    double sum = 0;
    for (Cell c : cells.subList(cells.size() - depths.size(), cells.size())) sum += c.exact;
    return String.format(Locale.ROOT, "%.0f%%", 100 * sum / depths.size());
  }

  /** A row for each length. */
  private List<List<String>> rows(List<Cell> cells) {
    List<String> header = new ArrayList<>(List.of("tokens"));
    for (double depth : depths) header.add(String.format(Locale.ROOT, "%.2f", depth));
    List<List<String>> rows = new ArrayList<>(List.of(header));
    for (int l = 0; l < lengths.size(); l++) {
      List<String> row = new ArrayList<>(List.of(lengths.get(l)));
      for (int d = 0; d < depths.size(); d++) {
        Cell c = cells.get(l * depths.size() + d);
        row.add(String.format(Locale.ROOT, "%.0f%%", 100 * c.exact));
      }
      rows.add(row);
    }
    return rows;
  }
}
