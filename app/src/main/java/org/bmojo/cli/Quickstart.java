package org.bmojo.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.zip.Deflater;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.data.Split;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.eval.EqualState;
import org.bmojo.eval.MemoryTrace;
import org.bmojo.eval.RecallTrial;
import org.bmojo.eval.TextScore;
import org.bmojo.generate.Sampler;
import org.bmojo.generate.TextGenerator;
import org.bmojo.mixer.Selection;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.model.SmallPresets;
import org.bmojo.report.Chart;
import org.bmojo.report.Page;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.Suite;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code bmojo quickstart}: the project in five minutes, from nothing to a page of results. */
@Command(
    name = "quickstart",
    description = {
      "Shows in five minutes what this is about: three models of equal memory learn to recall, one"
          + " model learns to write Java, and a page shows what it remembers."
    },
    footer = {
      "  ./bmojo quickstart",
      "  ./bmojo quickstart --out runs/first --seed 2",
      "  ./bmojo quickstart --short       a minute's version, to see that everything works"
    })
final class Quickstart implements Callable<Integer> {
  @Mixin Answer answer;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Where models and report.html go (${DEFAULT-VALUE}).")
  Path out = Path.of("quickstart");

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Decides everything (${DEFAULT-VALUE}).")
  long seed = 1;

  @Option(
      names = "--data",
      paramLabel = "DATA",
      description = "What to learn writing from (${DEFAULT-VALUE}: the JDK's own source).")
  String data = "jdk";

  @Option(names = "--short", description = "A tenth of the training: the results mean nothing.")
  boolean shortened;

  /**
   * @param name of the model
   * @param recall share of right answers
   */
  record Recall(String name, long parameters, long stateBytes, double recall, double seconds) {}

  /**
   * @param bitsPerByte on held-out files
   * @param gzipBitsPerByte what gzip -9 makes of the same text
   */
  record Language(
      long parameters, long steps, double bitsPerByte, double gzipBitsPerByte, double seconds) {}

  record Findings(List<Recall> recall, Language language, String report) {}

  @Override
  public Integer call() {
    if (Files.exists(out)) {
      throw new BadInput(
          out + " exists already", "expected a new folder", "Remove it, or choose another --out");
    }
    Page page = new Page("B'MOJO quickstart");
    List<Recall> recall = recall(page);
    Language language = language(page);
    Path report = out.resolve("report.html");
    page.write(report);
    answer.print(new Findings(recall, language, report.toString()), next(report));
    return ExitCode.OK;
  }

  private void say(String format, Object... values) {
    if (!answer.isJson()) System.out.println(String.format(Locale.ROOT, format, values));
  }

  // ---- Recall ---------------------------------------------------------------------------------

  private static final int VOCABULARY = 160;
  private static final int LENGTH = 128;
  private static final int PAIRS = 8;
  private static final int WIDTH = 64;
  private static final int WINDOW = 4;
  private static final int BATCH = 32;

  private List<Recall> recall(Page page) {
    say("Recall: %d key-value pairs, asked for up to %d tokens later.", PAIRS, LENGTH);
    Mqar task = new Mqar(new Mqar.Config(VOCABULARY, LENGTH, PAIRS, 1, false, 1));
    int steps = shortened ? RECALL_STEPS / 10 : RECALL_STEPS;
    Suite suite =
        Suite.of(
            "quickstart",
            seed,
            List.of(new Suite.Part(task, (long) BATCH * steps)),
            List.of(new Suite.Part(task, 256)));
    EqualState models =
        new EqualState(VOCABULARY, WIDTH, 2, WINDOW, 4, 2 * PAIRS, 4, Selection.IMPORTANCE);
    Map<String, ModelConfig> configs = new LinkedHashMap<>();
    configs.put("B'MOJO", models.bmojo());
    configs.put("sliding window", models.sliding());
    configs.put("Mamba", models.mamba());

    List<Recall> results = new ArrayList<>();
    List<Chart.Line> curves = new ArrayList<>();
    say("%-16s %12s %12s %8s %9s", "model", "parameters", "state bytes", "recall", "seconds");
    configs.forEach((name, config) -> {
      RecallTrial.Result result = trial(name, config, suite, steps);
      var row =
          new Recall(
              name, result.parameters(), result.stateBytes(), result.recall(), result.seconds());
      results.add(row);
      curves.add(Chart.Line.counted(name, result.losses()));
      say(
          "%-16s %12d %12d %8.3f %9.1f",
          name, row.parameters, row.stateBytes, row.recall, row.seconds);
    });
    describe(page, results, curves);
    return results;
  }

  private static final int RECALL_STEPS = 350;
  private static final double RECALL_RATE = 5e-3;

  private RecallTrial.Result trial(String name, ModelConfig config, Suite suite, int steps) {
    RecallTrial trial =
        new RecallTrial(
            name,
            config,
            null,
            suite,
            BATCH,
            Schedule.cosine(RECALL_RATE, steps),
            Optimizer.Settings.STANDARD,
            WINDOW,
            seed);
    try (Progress progress = Progress.of(name, steps)) {
      return trial.run(step -> {
        progress.note(String.format(Locale.ROOT, "loss %.3f", step.loss()));
        progress.advance(1);
        return true;
      });
    }
  }

  private static void describe(Page page, List<Recall> results, List<Chart.Line> curves) {
    page.section("Recall with equal memory")
        .text(
            ("Each sequence shows %d key-value pairs, then asks for every one of them among"
                    + " blanks, up to %d tokens later (MQAR). All models may remember equally many"
                    + " bytes. The sliding window forgets what left it, Mamba's state blurs it;"
                    + " B'MOJO keeps the few tokens that matter.")
                .formatted(PAIRS, LENGTH));
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("model", "parameters", "state bytes", "recall", "seconds"));
    Map<String, Double> bars = new LinkedHashMap<>();
    for (Recall r : results) {
      rows.add(
          List.of(
              r.name,
              "%,d".formatted(r.parameters),
              "%,d".formatted(r.stateBytes),
              String.format(Locale.ROOT, "%.3f", r.recall),
              String.format(Locale.ROOT, "%.1f", r.seconds)));
      bars.put(r.name, r.recall);
    }
    page.table(rows)
        .chart(Chart.bars("recall", 1, bars), "Share of right answers on new sequences.")
        .chart(Chart.lines("update", "loss, nats", curves), "Loss while training.");
  }

  // ---- Language -------------------------------------------------------------------------------

  private static final int LANGUAGE_STEPS = 640;
  private static final long EVAL_TOKENS = 100_000;
  private static final int SAMPLE_TOKENS = 500;
  private static final int TRACE_BYTES = 1500;

  private Language language(Page page) {
    say("%nWriting: a byte-level B'MOJO reads %s.", data);
    int steps = shortened ? LANGUAGE_STEPS / 10 : LANGUAGE_STEPS;
    Tokenizer tokenizer = new ByteTokenizer();
    ModelConfig config = SmallPresets.named("bmojo-tiny", tokenizer.vocabulary());
    var settings =
        new TrainingState.Settings(
            data,
            0,
            0.02,
            16,
            1,
            256,
            seed,
            Schedule.cosine(6e-3, steps),
            Optimizer.Settings.STANDARD);
    RunFolder folder = new RunFolder(out.resolve("java"));
    double seconds;
    List<Double> losses = new ArrayList<>();
    TextScore score;
    try (Interrupt interrupt = new Interrupt();
        TrainingRun run =
            TrainingRun.start(
                folder, config, tokenizer, settings, TrainingRun.How.on(Placement.CPU))) {
      long began = System.nanoTime();
      run.train(new TrainingRun.Every(steps, 0, 0, EVAL_TOKENS), steps, interrupt);
      seconds = (System.nanoTime() - began) / 1e9;
      losses.addAll(run.losses());
      score = run.score();
    }
    if (score == null) throw new IllegalStateException("training ends with an evaluation");
    double gzip = gzip(folder, tokenizer);
    try (Checkpoint checkpoint = Checkpoint.open(folder.path())) {
      LanguageModel model = checkpoint.model();
      Language language =
          new Language(model.parameterCount(), steps, score.bitsPerByte(), gzip, seconds);
      say(
          "%,d parameters, %d steps in %.1f s: %.3f bits per byte on held-out files (gzip -9:"
              + " %.3f)",
          language.parameters, steps, seconds, language.bitsPerByte, gzip);
      Sampler sampler = Sampler.random(0.7, 0, 0.95, seed);
      String prompt = "/**\n * Returns ";
      String written =
          prompt + new TextGenerator(model, tokenizer).complete(prompt, SAMPLE_TOKENS, sampler);
      say("%nIt writes:%n%s", written.indent(2));
      describe(page, language, losses, written, trace(model, tokenizer, folder));
      return language;
    }
  }

  /** Bits per byte of gzip -9 on the same held-out text. */
  private static double gzip(RunFolder folder, Tokenizer tokenizer) {
    try (TokenShards shards = TokenShards.open(folder.tokens(), Split.Part.VALIDATION, tokenizer)) {
      ByteArrayOutputStream text = new ByteArrayOutputStream();
      for (long i = 0; i < shards.documents() && text.size() < EVAL_TOKENS; i++) {
        text.writeBytes(tokenizer.decode(shards.document(i).tokens()).getBytes(UTF_8));
      }
      Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION);
      deflater.setInput(text.toByteArray());
      deflater.finish();
      byte[] buffer = new byte[1 << 16];
      while (!deflater.finished()) deflater.deflate(buffer);
      long compressed = deflater.getBytesWritten();
      deflater.end();
      return 8.0 * compressed / text.size();
    }
  }

  /** A held-out file, marked where eidetic memory held on to it. */
  private static List<Page.Mark> trace(LanguageModel model, Tokenizer tokenizer, RunFolder folder) {
    try (TokenShards shards = TokenShards.open(folder.tokens(), Split.Part.VALIDATION, tokenizer)) {
      int[] ids = shards.document(0).tokens();
      for (long i = 1; i < shards.documents() && ids.length < TRACE_BYTES; i++) {
        ids = shards.document(i).tokens();
      }
      ids = Arrays.copyOf(ids, Math.min(ids.length, TRACE_BYTES));
      double[] shares = MemoryTrace.of(model, ids).shares(ids.length);
      List<Page.Mark> marks = new ArrayList<>();
      for (int i = 0; i < ids.length; i++) {
        String note = String.format(Locale.ROOT, "held %.0f%% of the time", 100 * shares[i]);
        marks.add(new Page.Mark(tokenizer.decode(ids[i]), shares[i], note));
      }
      return marks;
    }
  }

  private static void describe(
      Page page, Language language, List<Double> losses, String written, List<Page.Mark> trace) {
    List<Double> bits = losses.stream().map(l -> l / Math.log(2)).toList();
    page.section("Writing")
        .text(
            String.format(
                Locale.ROOT,
                "A byte-level B'MOJO of %,d parameters read %d batches in %.1f seconds. Held-out"
                    + " files cost it %.3f bits per byte; gzip -9 needs %.3f.",
                language.parameters,
                language.steps,
                language.seconds,
                language.bitsPerByte,
                language.gzipBitsPerByte))
        .chart(
            Chart.lines("update", "bits per byte", List.of(Chart.Line.counted("training", bits))),
            "Training loss.")
        .text("It writes:")
        .code(written)
        .section("What it remembers")
        .text(
            "A held-out file as it was read. Marked: the bytes that eidetic memory kept verbatim,"
                + " more strongly the longer it held on to them.")
        .marked(trace);
  }

  private String next(Path report) {
    return """

    The plots, and what memory kept of a text: %s
    Next:
      ./bmojo generate %s "public class "        let it write more
      ./bmojo recall mqar --eidetic 4            recall with less to remember; --list has more tasks
      ./bmojo train book.txt --out runs/book     your own text
      ./bmojo info bmojo-130m                    what a larger one would take\
    """
        .formatted(report, out.resolve("java"));
  }
}
