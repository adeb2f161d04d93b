package org.bmojo.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import org.bmojo.error.BadInput;
import org.bmojo.eval.BookNeedles;
import org.bmojo.eval.LmScorer;
import org.bmojo.eval.Windows;
import org.bmojo.io.FileTrouble;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

/** {@code bmojo data needles}: texts that teach what {@link EvalNeedle} asks. */
@Command(
    name = "needles",
    description = {
      "Writes texts, a line of JSON each, in which sentences are hidden and told again at the end.",
      "A model that is to be asked for needles in books learns from them what is asked."
    },
    footer = {
      "  ./bmojo data needles books/ --tokenizer gpt2/tokenizer.json --count 10000 --out"
          + " needles.jsonl",
      "  ./bmojo data prepare needles.jsonl --tokenizer gpt2/tokenizer.json --out tokens/needles"
    })
final class DataNeedles implements Callable<Integer> {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Tokens of the shortest text, and more for every sentence. */
  private static final int LEAST = 64, EACH = 120;

  @Mixin Answer answer;

  @Parameters(arity = "1..*", paramLabel = "DATA", description = "Texts, as eval lm takes them.")
  List<String> data = List.of();

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "Gets the lines.")
  Path out;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "The word byte, or a tokenizer.json (byte).")
  @Nullable String tokenizer;

  @Option(names = "--count", paramLabel = "N", description = "Texts (${DEFAULT-VALUE}).")
  int count = 1000;

  @Option(
      names = "--length",
      paramLabel = "N",
      description = "Tokens of the longest; all lengths up to it are as likely (${DEFAULT-VALUE}).")
  int length = 2000;

  @Option(
      names = "--pairs",
      paramLabel = "N",
      description = "Sentences in a text at most (${DEFAULT-VALUE}).")
  int pairs = 8;

  @Option(names = "--seed", paramLabel = "N", description = "Decides the texts (1).")
  long seed = 1;

  record Written(int texts, String file) {}

  @Override
  public Integer call() {
    int least = LEAST + EACH * pairs;
    if (count < 1 || length < least) {
      throw new BadInput(
          count + " texts of up to " + length + " tokens",
          "expected at least 1, of %d for %d sentences".formatted(least, pairs),
          "Correct --count, --length or --pairs");
    }
    Tokenizer words = TrainOptions.tokenizer(tokenizer);
    List<int[]> hay =
        EvalTexts.read(data, words, Windows.ALL).stream().map(LmScorer.Text::tokens).toList();
    SplittableRandom random = new SplittableRandom(seed);
    try (BufferedWriter lines = Files.newBufferedWriter(out);
        Progress progress = Progress.of("texts", count)) {
      for (int i = 0; i < count; i++) {
        int sentences = 1 + random.nextInt(pairs);
        int shortest = LEAST + EACH * sentences;
        int tokens = shortest + random.nextInt(length - shortest + 1);
        String text = new BookNeedles(words, sentences).lesson(hay, tokens, random.nextLong());
        lines.write(JSON.writeValueAsString(Map.of("text", text)));
        lines.write('\n');
        progress.advance(1);
      }
    } catch (IOException e) {
      throw FileTrouble.writing(out, e);
    }
    answer.print(new Written(count, out.toString()), "wrote %,d texts to %s".formatted(count, out));
    return ExitCode.OK;
  }
}
