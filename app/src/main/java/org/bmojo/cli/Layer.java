package org.bmojo.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.LayerFile;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo layer}: one layer from a file in each of its forms, for those who check us. */
@Command(
    name = "layer",
    hidden = true,
    description = "Runs one layer from a file in parallel, chunked and step form.",
    footer = "  ./bmojo layer golden.safetensors --config meta.json --out ours.safetensors")
final class Layer implements Callable<Integer> {
  @Parameters(paramLabel = "LAYER", description = "x (T, d), and the weights under w.")
  Path layer;

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The layer's sizes.")
  Path config;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "Receives output.FORM and eidetic_sets.FORM.")
  Path out;

  @Override
  public Integer call() {
    try (Scope _ = new Scope()) {
      Map<String, Tensor> results = LayerFile.run(layer, config);
      Safetensors.write(out, results, Map.of());
    }
    return ExitCode.OK;
  }
}
