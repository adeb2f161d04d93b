package org.bmojo.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.eval.LmScore;
import org.bmojo.eval.LmScorer;
import org.bmojo.eval.SideBySide;
import org.bmojo.eval.TextScore;
import org.bmojo.eval.Windows;
import org.bmojo.io.AtomicFile;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Placement;
import org.bmojo.report.Chart;
import org.bmojo.sweep.Commit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

/** {@code bmojo eval lm}: long documents, by every convention there is. */
@Command(
    name = "lm",
    description = {
      "Measures how well a model predicts long documents, and how that depends on how much it has"
          + " read: bits per byte and perplexity by category, loss by position.",
      "Windows say what is read from an empty memory at once. stream reads documents whole, and so"
          + " tells of every length in one pass. disjoint:T is what lm-evaluation-harness calls"
          + " rolling; strided:T:S scores the newest S tokens of each window, mean:T:S all of"
          + " them, last:T:K the last K of at most ten."
    },
    footer = {
      "  ./bmojo eval lm runs/book prose=books/ code=src/",
      "  ./bmojo eval lm runs/book books/ --windows stream --windows disjoint:2048 --out"
          + " book.jsonl",
      "  ./bmojo eval lm runs/book prose=books/ --concatenate --length 1048576 --page book.html"
    })
final class EvalLm implements Callable<Integer> {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  @Mixin Answer answer;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "[NAME=]DATA",
      description =
          "Texts of a category: a file, folder, .zip, .jar, .gz, .jsonl (FILE.jsonl#FIELD), the"
              + " word jdk, or a folder that data prepare made.")
  List<String> data = new ArrayList<>();

  @Option(
      names = "--windows",
      paramLabel = "HOW",
      description =
          "stream, disjoint:T, strided:T:S, mean:T:S or last:T:K; several may be given"
              + " (stream).")
  List<String> windows = new ArrayList<>();

  @Option(
      names = "--length",
      paramLabel = "N",
      description = "Read the first N tokens of a document only (all).")
  int length = Windows.ALL;

  @Option(
      names = "--concatenate",
      description =
          "Join the documents of a category, and cut that into pieces of --length tokens.")
  boolean concatenate;

  @Option(
      names = "--batch",
      paramLabel = "B",
      description = "Documents side by side at most (8, on a GPU 16).")
  int batch;

  @Mixin EvalPlacement where;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Gets a line of JSON for each text, category and kind of windows.")
  @Nullable Path out;

  @Option(names = "--page", paramLabel = "FILE", description = "Gets tables and plots, as HTML.")
  @Nullable Path page;

  /**
   * How it was measured.
   *
   * @param length tokens of a document that were read at most; null for all
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Run(
      String kind,
      String model,
      long parameters,
      List<String> data,
      @Nullable Integer length,
      boolean concatenated,
      String device,
      String precision,
      String version,
      @Nullable String commit) {}

  /** One text; {@code bins} are rows of from, to, tokens, nats. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record TextLine(
      String kind,
      String windows,
      String name,
      String category,
      int length,
      @Nullable Long bytes,
      long tokens,
      double nats,
      List<List<Number>> bins) {}

  /** A category, or all. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Score(
      String kind,
      String windows,
      String category,
      long documents,
      long tokens,
      long bytes,
      double loss,
      double perplexity,
      @Nullable Double bitsPerByte,
      double seconds) {}

  record Result(Run run, List<Score> scores) {}

  /** What one convention gave. */
  record Measured(Windows windows, List<LmScore> texts, double seconds) {}

  @Override
  public Integer call() {
    if (length < 1) {
      throw new BadInput("--length " + length, "expected at least 1", "Leave it out for all");
    }
    if (concatenate && length == Windows.ALL) {
      throw new BadInput(
          "--concatenate without --length", "expected the pieces' length", "Add --length 1048576");
    }
    if (page != null) Chart.requireFonts();
    List<Windows> conventions =
        (windows.isEmpty() ? List.of("stream") : windows).stream().map(Windows::parse).toList();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      List<LmScorer.Text> texts =
          EvalTexts.read(data, checkpoint.tokenizer(), concatenate ? Windows.ALL : length);
      if (concatenate) texts = EvalTexts.concatenated(texts, checkpoint.tokenizer(), length);
      LanguageModel model = checkpoint.model();
      Placement placement = where.place(model);
      Machine machine = Machine.of(placement);
      SideBySide reader = EvalPlacement.reader(model, batch, machine);
      sayIfFewer(reader, conventions, texts);
      List<Measured> measured = new ArrayList<>();
      for (Windows how : conventions) {
        measured.add(measure(reader, how, texts, checkpoint.tokenizer().endOfDocument()));
      }
      Run run =
          new Run(
              "run",
              folder.toAbsolutePath().normalize().getFileName().toString(),
              model.parameterCount(),
              data,
              length == Windows.ALL ? null : length,
              concatenate,
              machine.name(),
              placement.precision(),
              Version.current(),
              Commit.current());
      report(run, measured);
    }
    return ExitCode.OK;
  }

  private Measured measure(SideBySide reader, Windows how, List<LmScorer.Text> texts, int end) {
    long tokens =
        texts.stream()
            .flatMap(t -> how.of(t.tokens().length).stream())
            .mapToLong(s -> s.to() - s.from())
            .sum();
    try (Progress progress = Progress.of(how + ", tokens", tokens)) {
      long began = System.nanoTime();
      List<LmScore> scores = new LmScorer(reader, end).score(how, texts, progress::advance);
      return new Measured(how, scores, (System.nanoTime() - began) / 1e9);
    }
  }

  /** A smaller batch than asked for is slower: whoever waits shall know why. */
  private void sayIfFewer(SideBySide reader, List<Windows> conventions, List<LmScorer.Text> texts) {
    int longest = texts.stream().mapToInt(t -> t.tokens().length).max().orElse(0);
    AtomicReference<Windows> whole = new AtomicReference<>();
    conventions.stream()
        .max((a, b) -> Integer.compare(a.length(), b.length()))
        .ifPresent(whole::set);
    int window = Math.min(longest, whole.get().length());
    int rows = reader.rows(window), asked = reader.rows(1);
    if (rows >= asked) return;
    System.err.printf(
        Locale.ROOT,
        "documents of %,d tokens are read %d at a time instead of %d: their memory is large%n",
        window,
        rows,
        asked);
  }

  private void report(Run run, List<Measured> measured) {
    List<Score> scores = new ArrayList<>();
    StringBuilder lines = new StringBuilder(line(run));
    for (Measured m : measured) {
      m.texts.forEach(t -> lines.append(line(textLine(m.windows, t))));
      List<Score> own = scores(m);
      own.forEach(s -> lines.append(line(s)));
      scores.addAll(own);
    }
    if (out != null) AtomicFile.replace(out, lines.toString().getBytes(StandardCharsets.UTF_8));
    if (page != null) LmPage.write(run, measured, scores, page);
    answer.print(new Result(run, scores), LmPage.text(measured, scores));
  }

  private static String line(Object value) {
    return JSON.writeValueAsString(value) + "\n";
  }

  private static TextLine textLine(Windows windows, LmScore t) {
    List<List<Number>> bins = new ArrayList<>();
    for (LmScore.Bin b : t.bins()) {
      if (b.tokens() > 0) bins.add(List.of(b.from(), b.to(), b.tokens(), b.nats()));
    }
    return new TextLine(
        "text",
        windows.toString(),
        t.name(),
        t.category(),
        t.length(),
        t.bytes(),
        t.tokens(),
        t.nats(),
        bins);
  }

  private static List<Score> scores(Measured m) {
    List<String> categories = m.texts.stream().map(LmScore::category).distinct().toList();
    List<Score> scores = new ArrayList<>();
    for (String category : categories) {
      List<LmScore> own = m.texts.stream().filter(t -> t.category().equals(category)).toList();
      scores.add(score(m, category, own));
    }
    if (categories.size() > 1) scores.add(score(m, "all", m.texts));
    return scores;
  }

  private static Score score(Measured m, String category, List<LmScore> texts) {
    TextScore s = LmScore.sum(texts);
    boolean exact = s.bytes() > 0 && texts.stream().allMatch(t -> t.bytes() != null);
    return new Score(
        "score",
        m.windows.toString(),
        category,
        s.documents(),
        s.tokens(),
        s.bytes(),
        s.nats() / s.tokens(),
        s.perplexity(),
        exact ? s.bitsPerByte() : null,
        m.seconds);
  }
}
