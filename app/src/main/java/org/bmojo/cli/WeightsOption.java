package org.bmojo.cli;

import java.nio.file.Path;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.kernels.op.PackedMatrix.Format;
import picocli.CommandLine.Option;

/** In how many bits a model's matrices are kept while it is used. */
final class WeightsOption {
  @Option(
      names = "--weights",
      paramLabel = "TYPE",
      description =
          "Keep matrices as fp32, bf16, int8 or int4 on the CPU: each step down answers faster in"
              + " less memory, and a little less exactly (${DEFAULT-VALUE}).")
  String weights = "fp32";

  /** The model in {@code folder}, its matrices kept so. */
  Checkpoint open(Path folder) {
    Format format = Format.named(weights);
    Checkpoint checkpoint = Checkpoint.open(folder);
    checkpoint.model().pack(format);
    return checkpoint;
  }
}
