package org.bmojo.cli;

import org.bmojo.model.Placement;
import picocli.CommandLine.Option;

/** Where synthetic tasks are trained: in float32, as published, unless somebody says otherwise. */
final class RecallPlacement {
  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "cpu, cuda or cuda:N (${DEFAULT-VALUE}).")
  String device = "cpu";

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description = "What matrices are multiplied in: fp32 or bf16 (${DEFAULT-VALUE}).")
  String precision = "fp32";

  Placement of() {
    return Placement.of(device, precision);
  }
}
