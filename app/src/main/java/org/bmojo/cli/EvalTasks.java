package org.bmojo.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.zip.GZIPInputStream;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Continuations;
import org.bmojo.eval.LikelihoodTask;
import org.bmojo.eval.LikelihoodTask.Item;
import org.bmojo.eval.SideBySide;
import org.bmojo.eval.TaskScore;
import org.bmojo.eval.TaskScorer;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import org.bmojo.model.Placement;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** {@code bmojo eval tasks}: published tests, by the likelihood of their answers. */
@Command(
    name = "tasks",
    description = {
      "Asks LAMBADA, HellaSwag, PIQA, ARC and WinoGrande without examples, word for word as"
          + " lm-evaluation-harness does, from local files with the data sets' own keys.",
      "Accuracy is by sums of log-likelihoods; normalised, they are divided by the answers'"
          + " characters."
    },
    footer = {
      "  ./bmojo eval tasks mamba-130m lambada=lambada.jsonl hellaswag=validation.jsonl.gz",
      "  ./bmojo eval tasks runs/book arc_easy=easy.jsonl arc_challenge=challenge.jsonl --limit 200"
    })
final class EvalTasks implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "TASK=FILE",
      description =
          "A name that begins with lambada, hellaswag, piqa, arc or winogrande, and its rows:"
              + " .jsonl or .jsonl.gz.")
  List<String> tasks = new ArrayList<>();

  @Option(names = "--limit", paramLabel = "N", description = "The first N rows of each (all).")
  int limit = Integer.MAX_VALUE;

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "Tokens that are read at most, the last ones (${DEFAULT-VALUE}).")
  int longest = 2048;

  @Option(
      names = "--batch",
      paramLabel = "B",
      description = "Answers side by side at most (8, on a GPU 16).")
  int batch;

  @Mixin EvalPlacement where;

  /** One task's. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Result(String task, TaskScore score) {}

  record Results(List<Result> tasks) {}

  /** A task's name and its items. */
  private record Asked(String name, LikelihoodTask task, List<Item> items) {}

  @Override
  public Integer call() {
    if (limit < 1 || longest < 1) {
      throw new BadInput(
          "--limit " + limit + " and --max-length " + longest,
          "expected at least 1 of each",
          "Correct them");
    }
    // All files are read first: what is wrong with the last shall not cost an hour.
    List<Asked> asked = tasks.stream().map(this::read).toList();
    List<Result> results = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Tokenizer tokenizer = checkpoint.tokenizer();
      Placement placement = where.place(checkpoint.model());
      SideBySide reader = EvalPlacement.reader(checkpoint.model(), batch, Machine.of(placement));
      Continuations continuations = new Continuations(reader, tokenizer.endOfDocument());
      TaskScorer scorer = new TaskScorer(continuations, tokenizer, longest);
      for (Asked a : asked) {
        long answers = a.items.stream().mapToLong(i -> i.choices().size()).sum();
        try (Progress progress = Progress.of(a.name + ", answers", answers)) {
          results.add(new Result(a.name, scorer.score(a.task, a.items, progress::advance)));
        }
      }
    }
    answer.print(new Results(results), text(results));
    return ExitCode.OK;
  }

  private Asked read(String given) {
    int equals = given.indexOf('=');
    if (equals < 1) {
      throw new BadInput(given, "expected TASK=FILE", "Write piqa=validation.jsonl");
    }
    String name = given.substring(0, equals);
    LikelihoodTask task = LikelihoodTask.named(name);
    Path file = Path.of(given.substring(equals + 1));
    List<Item> items = new ArrayList<>();
    try (InputStream bytes = Files.newInputStream(file);
        InputStream plain = file.toString().endsWith(".gz") ? new GZIPInputStream(bytes) : bytes;
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(plain, StandardCharsets.UTF_8))) {
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (line.isBlank()) continue;
        if (items.size() == limit) break;
        items.add(item(task, line, file + ", line " + number));
      }
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
    return new Asked(name, task, items);
  }

  private static Item item(LikelihoodTask task, String line, String where) {
    try {
      JsonNode row = Json.mapper().readTree(line);
      return task.item(row);
    } catch (JacksonException e) {
      throw Json.trouble(where, e);
    } catch (BadInput e) {
      throw e.in(where);
    }
  }

  private static String text(List<Result> results) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            "%-18s%8s%18s%18s%10s%12s", "task", "items", "acc", "acc_norm", "bytes", "ppl"));
    for (Result r : results) {
      TaskScore s = r.score;
      text.append(System.lineSeparator());
      text.append(
          String.format(
              Locale.ROOT,
              "%-18s%8d%18s%18s%10s%12s",
              r.task,
              s.items(),
              with(s.accuracy(), s.accuracyError()),
              with(s.normalised(), s.normalisedError()),
              s.byBytes() == null ? "" : String.format(Locale.ROOT, "%.4f", s.byBytes()),
              s.perplexity() == null ? "" : String.format(Locale.ROOT, "%.3f", s.perplexity())));
    }
    return text.toString();
  }

  private static String with(@Nullable Double value, @Nullable Double error) {
    return value == null ? "" : String.format(Locale.ROOT, "%.4f ± %.4f", value, error);
  }
}
