package org.bmojo.cli;

import org.bmojo.eval.SideBySide;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Placement;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a model is evaluated: as it was trained, so in bf16 on a GPU. */
final class EvalPlacement {
  /** Of the free memory, what memories of sequences may take; the rest is for one pass. */
  private static final double ROOM = 0.5;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "cpu, cuda or cuda:N (${DEFAULT-VALUE}).")
  String device = "cpu";

  @Option(names = "--precision", paramLabel = "TYPE", description = "fp32 or bf16 (bf16 on a GPU).")
  @Nullable String precision;

  @Option(
      names = "--weights",
      paramLabel = "TYPE",
      description = "Keep matrices as fp32, bf16, int8 or int4, on the CPU (${DEFAULT-VALUE}).")
  String weights = "fp32";

  /** Brings a model there, as it was loaded, and says where that is. */
  Placement place(LanguageModel model) {
    Format format = Format.named(weights);
    Placement placement = Placement.of(device, precision);
    model.place(placement, false);
    model.pack(format);
    return placement;
  }

  /** Reads with a model that has been placed on {@code machine}, so many sequences at a time. */
  static SideBySide reader(LanguageModel model, int batch, Machine machine) {
    return new SideBySide(model, batch, (long) (ROOM * machine.freeBytes()));
  }
}
