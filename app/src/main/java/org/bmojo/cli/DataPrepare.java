package org.bmojo.cli;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenShards;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo data prepare}: a text to token shards. */
@Command(
    name = "prepare",
    description = {
      "Tokenises a text on all cores into shards that any run can train on.",
      "Documents are shuffled, and some held out, by the seed and their names alone."
    },
    footer = {
      "  ./bmojo data prepare corpus/ --tokenizer gpt2/tokenizer.json --out tokens",
      "  ./bmojo data prepare wiki.jsonl.gz#body --out tokens --held-out 0.01"
    })
final class DataPrepare implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(
      paramLabel = "DATA",
      description =
          "A text file, folder, .zip, .jar, .gz, .jsonl or .parquet (FILE.parquet#FIELD), or jdk.")
  String data;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Gets the shards.")
  Path out;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "The word byte, or a tokenizer.json (byte).")
  @Nullable String tokenizer;

  @Option(
      names = "--held-out",
      paramLabel = "SHARE",
      description = "Share of the documents not to train on (${DEFAULT-VALUE}).")
  double heldOut = 0.05;

  @Option(
      names = "--shard-tokens",
      paramLabel = "N",
      description = "A shard ends with the document that reaches this (${DEFAULT-VALUE}).")
  long shardTokens = TokenShards.SHARD_TOKENS;

  @Option(names = "--seed", paramLabel = "N", description = "Decides order and split (1).")
  long seed = 1;

  @Override
  public Integer call() {
    try (Progress progress = Progress.of("reading " + data + ", bytes", -1)) {
      TokenShards.write(
          out,
          TextSource.of(data).observed(document -> progress.advance(document.utf8().length)),
          TrainOptions.tokenizer(tokenizer),
          new Split(heldOut, seed),
          shardTokens);
    }
    DataInspect.print(answer, out, false);
    return ExitCode.OK;
  }
}
