package org.bmojo.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Generator;
import org.bmojo.generate.TextGenerator;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Request;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo generate}: continues a text, or sequences of ids. */
@Command(
    name = "generate",
    description = "Continues a text, or sequences of token ids, with a trained model.",
    footer = {
      "  ./bmojo generate runs/book \"It was a dark\"",
      "  ./bmojo generate runs/book --temperature 0.5 -n 500     begin a document",
      "  ./bmojo generate runs/book --memory book.bm \" And so\"    after a document",
      "  ./bmojo generate runs/book --ids ids.txt --greedy -n 16 --json"
    })
final class Generate implements Callable<Integer> {
  @Mixin Answer answer;
  @Mixin Sampling sampling;
  @Mixin StoreOptions storage;
  @Mixin WeightsOption weights;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "PROMPT",
      description = "The text to continue; without one a document begins.")
  @Nullable String prompt;

  @Option(
      names = "--ids",
      paramLabel = "FILE",
      description =
          "Continue these instead: one sequence of ids a line, separated by spaces, all of one"
              + " length. Needs no tokenizer.")
  @Nullable Path ids;

  @Option(
      names = "--memory",
      paramLabel = "FILE",
      description = "Go on after this, which ./bmojo remember made with the same model.")
  @Nullable Path memory;

  @Option(
      names = {"-n", "--tokens"},
      paramLabel = "N",
      description = "At most so many new tokens (${DEFAULT-VALUE}).")
  int tokens = 200;

  /**
   * @param sequences prompts and what follows them
   */
  record Sequences(int[][] sequences) {
    private String text() {
      return Arrays.stream(sequences)
          .map(row ->
              Arrays.stream(row).mapToObj(Integer::toString).collect(Collectors.joining(" ")))
          .collect(Collectors.joining(System.lineSeparator()));
    }
  }

  /**
   * @param prompt as it was given
   * @param text what follows it
   */
  record Text(String prompt, String text) {}

  @Override
  public Integer call() {
    if (ids != null && prompt != null) {
      throw new BadInput("a prompt and --ids", "expected one of the two", "Leave one out");
    }
    if (tokens < 0) {
      throw new BadInput(tokens + " tokens to generate", "expected 0 or more", "Correct -n");
    }
    if (ids != null && (memory != null || storage.store != null)) {
      throw new BadInput(
          "--ids and --memory or --store", "expected one of the two", "Leave one out");
    }
    int[][] prompts = ids == null ? null : IdsFile.read(ids);
    var sampler = sampling.sampler();
    try (Checkpoint checkpoint = weights.open(folder)) {
      if (prompts != null) {
        Sequences sequences =
            new Sequences(new Generator(checkpoint.model()).generate(prompts, tokens, sampler));
        answer.print(sequences, sequences.text());
        return ExitCode.OK;
      }
      if (memory != null || storage.store != null) {
        goOn(checkpoint);
        return ExitCode.OK;
      }
      var generator = new TextGenerator(checkpoint.model(), checkpoint.tokenizer());
      String start = prompt == null ? "" : prompt;
      if (answer.isJson()) {
        answer.print(new Text(start, generator.complete(start, tokens, sampler)), "");
        return ExitCode.OK;
      }
      PrintWriter out = answer.command.commandLine().getOut();
      out.print(start);
      generator.stream(
          start,
          tokens,
          sampler,
          piece -> {
            out.print(piece);
            out.flush();
          });
      out.println();
      return ExitCode.OK;
    }
  }

  /** From a memory, without its text, which may be long; or with a library. */
  private void goOn(Checkpoint checkpoint) {
    try (Talk talk = new Talk(checkpoint, storage.open(checkpoint.model()));
        @Nullable Memory from = memory == null ? null : talk.files().load(memory)) {
      Library library = talk.library();
      String given = prompt == null ? "" : prompt;
      boolean fresh = given.isEmpty() && from == null;
      Tokenizer tokenizer = checkpoint.tokenizer();
      int[] start = fresh ? new int[] {tokenizer.endOfDocument()} : tokenizer.encode(given);
      Request request = talk.request(from, start, tokens, sampling.decoding());
      if (library != null) request = request.recalling(library.recollection(null));
      PrintWriter out = answer.command.commandLine().getOut();
      if (from == null && !answer.isJson()) out.print(given);
      StringBuilder text = new StringBuilder();
      Memory.close(
          talk.answer(
              request,
              List.of(),
              piece -> {
                text.append(piece);
                if (!answer.isJson()) out.print(piece);
                out.flush();
              }));
      answer.print(new Text(given, text.toString()), "");
    }
  }
}
