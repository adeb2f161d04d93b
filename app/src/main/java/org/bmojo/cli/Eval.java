package org.bmojo.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.eval.TextScore;
import org.bmojo.eval.TextScorer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo eval}: bits per byte on a text. */
@Command(
    name = "eval",
    subcommands = {EvalLm.class, EvalNeedle.class, EvalTasks.class},
    description = {
      "Measures how well a model predicts a text: bits per byte and perplexity.",
      "The commands below measure more: lm what a model makes of long documents, position by"
          + " position; needle what it finds again in them; tasks published tests."
    },
    footer = {
      "  ./bmojo eval runs/book                       on the documents held out from training",
      "  ./bmojo eval runs/book other.txt",
      "  ./bmojo eval runs/book jdk --tokens 100000 --json"
    })
final class Eval implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "MODEL",
      description = "A model's or a run's folder.")
  @Nullable Path model;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "DATA",
      description = {
        "A file, folder, .zip, .jar, .gz, .jsonl (FILE.jsonl#FIELD) or the word jdk; without it the"
            + " documents that the run held out."
      })
  @Nullable String data;

  @Mixin EvalPlacement where;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Stop after the first N tokens; the last document is cut (all).")
  long tokens = TextScorer.ALL;

  /**
   * @param bitsPerByte comparable across tokenizers and with compressors
   * @param perplexity per token, comparable under one tokenizer
   */
  record Result(long documents, long tokens, long bytes, double bitsPerByte, double perplexity) {}

  @Override
  public Integer call() {
    Path folder = model;
    if (folder == null) {
      throw new BadInput("no model", "expected a model's or a run's folder", "Name one");
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Progress progress = Progress.of("tokens", tokens == TextScorer.ALL ? -1 : tokens)) {
      where.place(checkpoint.model());
      TextScorer scorer = new TextScorer(checkpoint.model(), checkpoint.tokenizer(), tokens);
      if (data != null) {
        TextSource.of(data)
            .forEach(document -> {
              long before = scorer.scored();
              scorer.add(document);
              progress.advance(scorer.scored() - before);
            });
      } else {
        addHeldOut(folder, checkpoint, scorer, progress);
      }
      print(scorer.score());
      return ExitCode.OK;
    }
  }

  private static void addHeldOut(
      Path folder, Checkpoint checkpoint, TextScorer scorer, Progress progress) {
    RunFolder run = new RunFolder(folder);
    TrainingState training = checkpoint.training();
    Path tokens = training == null ? run.tokens() : run.tokens(training.settings());
    try (TokenShards held =
        TokenShards.open(tokens, Split.Part.VALIDATION, checkpoint.tokenizer())) {
      for (long i = 0; i < held.documents() && !scorer.full(); i++) {
        long before = scorer.scored();
        scorer.add(held.document(i));
        progress.advance(scorer.scored() - before);
      }
    }
  }

  private void print(TextScore s) {
    Result result =
        new Result(s.documents(), s.tokens(), s.bytes(), s.bitsPerByte(), s.perplexity());
    answer.print(
        result,
        String.format(
            Locale.ROOT,
            "%.4f bits per byte, perplexity %.3f (%,d documents, %,d tokens, %,d bytes)",
            result.bitsPerByte,
            result.perplexity,
            result.documents,
            result.tokens,
            result.bytes));
  }
}
