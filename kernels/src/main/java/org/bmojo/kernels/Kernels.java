package org.bmojo.kernels;

import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.reference.ReferenceAdamW;
import org.bmojo.kernels.reference.ReferenceCausalConv;
import org.bmojo.kernels.reference.ReferenceEideticSelect;
import org.bmojo.kernels.reference.ReferenceInnovationScore;
import org.bmojo.kernels.reference.ReferenceLinearCrossEntropy;
import org.bmojo.kernels.reference.ReferenceMemoryAttention;
import org.bmojo.kernels.reference.ReferenceRmsNorm;
import org.bmojo.kernels.reference.ReferenceRotary;
import org.bmojo.kernels.reference.ReferenceSelectiveScan;
import org.bmojo.kernels.reference.ReferenceSwiGlu;
import org.bytedeco.pytorch.Tensor;

/** One room: an implementation of every operation, for the types and the device it serves. */
public record Kernels(
    String name,
    SelectiveScan selectiveScan,
    CausalConv causalConv,
    MemoryAttention memoryAttention,
    EideticSelect eideticSelect,
    InnovationScore innovationScore,
    RmsNorm rmsNorm,
    Rotary rotary,
    SwiGlu swiGlu,
    LinearCrossEntropy linearCrossEntropy,
    AdamW adamW) {

  /** libtorch compositions: every type, every device. */
  public static final Kernels REFERENCE =
      new Kernels(
          "reference",
          new ReferenceSelectiveScan(),
          new ReferenceCausalConv(),
          new ReferenceMemoryAttention(),
          new ReferenceEideticSelect(),
          new ReferenceInnovationScore(),
          new ReferenceRmsNorm(),
          new ReferenceRotary(),
          new ReferenceSwiGlu(),
          new ReferenceLinearCrossEntropy(),
          new ReferenceAdamW());

  /** The room that serves tensors like this one. */
  public static Kernels of(Tensor like) {
    return REFERENCE;
  }
}
