package org.bmojo.kernels;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.cpu.CpuCausalConv;
import org.bmojo.kernels.cpu.CpuSelectiveScan;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.reference.ReferenceAdamW;
import org.bmojo.kernels.reference.ReferenceCausalConv;
import org.bmojo.kernels.reference.ReferenceEideticSelect;
import org.bmojo.kernels.reference.ReferenceGatedDelta;
import org.bmojo.kernels.reference.ReferenceGatedRidge;
import org.bmojo.kernels.reference.ReferenceInnovationScore;
import org.bmojo.kernels.reference.ReferenceLinearCrossEntropy;
import org.bmojo.kernels.reference.ReferenceMemoryAttention;
import org.bmojo.kernels.reference.ReferenceRmsNorm;
import org.bmojo.kernels.reference.ReferenceRotary;
import org.bmojo.kernels.reference.ReferenceSelectiveScan;
import org.bmojo.kernels.reference.ReferenceSsd;
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
    AdamW adamW,
    Ssd ssd,
    GatedDelta gatedDelta,
    GatedRidge gatedRidge) {

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
          new ReferenceAdamW(),
          new ReferenceSsd(),
          new ReferenceGatedDelta(),
          new ReferenceGatedRidge());

  private static final Picker PICKER = Picker.ofThisJvm();

  /**
   * The room for tensors like this one: the fastest that serves its device and type, or the one
   * that the system property {@code bmojo.kernels} (reference, cpu, cuda) forces. The first call
   * for a device and type logs the choice and its reason; later ones cost a look into a table, so
   * layers ask on every call.
   *
   * @throws BadInput if the forced room cannot serve such tensors, saying why
   */
  public static Kernels of(Tensor like) {
    return PICKER.pick(like);
  }

  /**
   * Vector API, float32 inside: float32 and narrower activations on the CPU.
   *
   * @throws BadInput in a JVM without the Vector API
   */
  public static Kernels cpu() {
    if (Picker.hasVectors()) return Cpu.ROOM;
    throw new BadInput(
        "this JVM runs without the module jdk.incubator.vector",
        "the cpu room computes with it",
        "start the JVM with --add-modules=jdk.incubator.vector");
  }

  /** Made when first asked for: its classes need a module that may be missing. */
  private static final class Cpu {
    static final Kernels ROOM =
        new Kernels(
            "cpu",
            new CpuSelectiveScan(),
            new CpuCausalConv(),
            REFERENCE.memoryAttention,
            REFERENCE.eideticSelect,
            REFERENCE.innovationScore,
            REFERENCE.rmsNorm,
            REFERENCE.rotary,
            REFERENCE.swiGlu,
            REFERENCE.linearCrossEntropy,
            REFERENCE.adamW,
            REFERENCE.ssd,
            REFERENCE.gatedDelta,
            REFERENCE.gatedRidge);
  }
}
