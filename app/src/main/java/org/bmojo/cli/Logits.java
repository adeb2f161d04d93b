package org.bmojo.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.Ids;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo logits}: a model's raw answer, for comparison with other implementations. */
@Command(
    name = "logits",
    description = "Writes the logits of every position of sequences of token ids.",
    footer = {
      "  echo '1 2 3' > ids.txt",
      "  ./bmojo logits runs/book --ids ids.txt --out logits.safetensors",
      "",
      "The file holds one float32 tensor, logits (sequences, length, vocabulary)."
    })
final class Logits implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Option(
      names = "--ids",
      required = true,
      paramLabel = "FILE",
      description = "One sequence of ids a line, separated by spaces, all of one length.")
  Path ids;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "The safetensors file to write.")
  Path out;

  record Written(String file, long sequences, long length, long vocabulary) {}

  @Override
  public Integer call() {
    int[][] sequences = IdsFile.read(ids);
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Progress progress = Progress.of("sequences", sequences.length);
        Scope scope = new Scope()) {
      Tensor[] rows = new Tensor[sequences.length];
      for (int r = 0; r < rows.length; r++) {
        try (Scope row = new Scope()) {
          Tensor logits = checkpoint.model().logits(Ids.tensor(sequences[r]), null); // (1, T, V)
          rows[r] = row.keep(logits.to(ScalarType.Float).cpu());
        }
        progress.advance(1);
      }
      Tensor all = Tensors.cat(0, rows); // (sequences, T, V)
      Safetensors.write(out, Map.of("logits", all), Map.of());
      Written written = new Written(out.toString(), all.size(0), all.size(1), all.size(2));
      answer.print(
          written, "%s: logits (%d, %d, %d)".formatted(out, all.size(0), all.size(1), all.size(2)));
    }
    return ExitCode.OK;
  }
}
