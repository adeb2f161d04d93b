package org.bmojo.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bmojo.data.Split;
import org.bmojo.data.TokenShards;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo data inspect}: what is in a folder of token shards. */
@Command(
    name = "inspect",
    description = "Says what a folder of token shards holds, and whether it is undamaged.",
    footer = {"  ./bmojo data inspect tokens --verify --json"})
final class DataInspect implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(paramLabel = "DIR", description = "What data prepare made, or a run's tokens.")
  Path folder;

  @Option(names = "--verify", description = "Read everything and compare the checksums.")
  boolean verify;

  /**
   * One part of the split.
   *
   * @param tokens ends of documents included
   * @param bytesPerToken of UTF-8
   */
  record Part(long documents, long tokens, long bytes, double bytesPerToken, int shards) {}

  /**
   * @param tokenizer fingerprint
   * @param verified whether all checksums were compared
   */
  record Contents(
      int vocabulary, String tokenizer, long seed, boolean verified, Map<String, Part> parts) {}

  @Override
  public Integer call() {
    print(answer, folder, verify);
    return ExitCode.OK;
  }

  static void print(Answer answer, Path folder, boolean verify) {
    Map<String, Part> parts = new LinkedHashMap<>();
    TokenShards.Origin origin = null;
    for (Split.Part part : Split.Part.values()) {
      if (part == Split.Part.VALIDATION && !TokenShards.exist(folder, part)) continue;
      try (TokenShards shards = TokenShards.open(folder, part)) {
        if (verify) shards.verify();
        origin = shards.origin();
        parts.put(
            part.name().toLowerCase(Locale.ROOT),
            new Part(
                shards.documents(),
                shards.tokens(),
                shards.textBytes(),
                (double) shards.textBytes() / shards.tokens(),
                origin.shards()));
      }
    }
    if (origin == null) throw new AssertionError("train shards are always opened");
    Contents contents =
        new Contents(
            origin.vocabulary(),
            "%016x".formatted(origin.tokenizer()),
            origin.seed(),
            verify,
            parts);
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "vocabulary %,d, tokenizer %s, seed %d%s",
            contents.vocabulary,
            contents.tokenizer,
            contents.seed,
            verify ? ", checksums good" : ""));
    parts.forEach((name, p) ->
        text.append(System.lineSeparator())
            .append(
                String.format(
                    Locale.ROOT,
                    "%-10s %,d documents, %,d tokens, %,d bytes (%.2f a token), %d shards",
                    name,
                    p.documents,
                    p.tokens,
                    p.bytes,
                    p.bytesPerToken,
                    p.shards)));
    answer.print(contents, text.toString());
  }
}
