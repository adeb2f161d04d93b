package org.bmojo.kernels;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.cpu.CpuAdamW;
import org.bmojo.kernels.cpu.CpuCausalConv;
import org.bmojo.kernels.cpu.CpuEideticSelect;
import org.bmojo.kernels.cpu.CpuGatedDelta;
import org.bmojo.kernels.cpu.CpuGatedRidge;
import org.bmojo.kernels.cpu.CpuInnovationScore;
import org.bmojo.kernels.cpu.CpuLinearCrossEntropy;
import org.bmojo.kernels.cpu.CpuMemoryAttention;
import org.bmojo.kernels.cpu.CpuPackedLinear;
import org.bmojo.kernels.cpu.CpuRmsNorm;
import org.bmojo.kernels.cpu.CpuRotary;
import org.bmojo.kernels.cpu.CpuSelectiveScan;
import org.bmojo.kernels.cpu.CpuSsd;
import org.bmojo.kernels.cpu.CpuSwiGlu;
import org.bmojo.kernels.cuda.CudaAdamW;
import org.bmojo.kernels.cuda.CudaCausalConv;
import org.bmojo.kernels.cuda.CudaEideticSelect;
import org.bmojo.kernels.cuda.CudaGatedDelta;
import org.bmojo.kernels.cuda.CudaGatedRidge;
import org.bmojo.kernels.cuda.CudaInnovationScore;
import org.bmojo.kernels.cuda.CudaLinearCrossEntropy;
import org.bmojo.kernels.cuda.CudaMemoryAttention;
import org.bmojo.kernels.cuda.CudaRmsNorm;
import org.bmojo.kernels.cuda.CudaRoom;
import org.bmojo.kernels.cuda.CudaRotary;
import org.bmojo.kernels.cuda.CudaRowLinear;
import org.bmojo.kernels.cuda.CudaSelectiveScan;
import org.bmojo.kernels.cuda.CudaSetGather;
import org.bmojo.kernels.cuda.CudaSsd;
import org.bmojo.kernels.cuda.CudaSwiGlu;
import org.bmojo.kernels.cuda.CudaTokenStep;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.PackedLinear;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.op.SetGather;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.reference.ReferenceAdamW;
import org.bmojo.kernels.reference.ReferenceCausalConv;
import org.bmojo.kernels.reference.ReferenceEideticSelect;
import org.bmojo.kernels.reference.ReferenceGatedDelta;
import org.bmojo.kernels.reference.ReferenceGatedRidge;
import org.bmojo.kernels.reference.ReferenceInnovationScore;
import org.bmojo.kernels.reference.ReferenceLinearCrossEntropy;
import org.bmojo.kernels.reference.ReferenceMemoryAttention;
import org.bmojo.kernels.reference.ReferencePackedLinear;
import org.bmojo.kernels.reference.ReferenceRmsNorm;
import org.bmojo.kernels.reference.ReferenceRotary;
import org.bmojo.kernels.reference.ReferenceRowLinear;
import org.bmojo.kernels.reference.ReferenceSelectiveScan;
import org.bmojo.kernels.reference.ReferenceSetGather;
import org.bmojo.kernels.reference.ReferenceSsd;
import org.bmojo.kernels.reference.ReferenceSwiGlu;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One room: an implementation of every operation, for the types and the device it serves; {@code
 * tokenStep} is null where there is none.
 */
public record Kernels(
    String name,
    SelectiveScan selectiveScan,
    CausalConv causalConv,
    MemoryAttention memoryAttention,
    EideticSelect eideticSelect,
    SetGather setGather,
    InnovationScore innovationScore,
    RmsNorm rmsNorm,
    Rotary rotary,
    SwiGlu swiGlu,
    LinearCrossEntropy linearCrossEntropy,
    AdamW adamW,
    Ssd ssd,
    GatedDelta gatedDelta,
    GatedRidge gatedRidge,
    PackedLinear packedLinear,
    RowLinear rowLinear,
    @Nullable TokenStep tokenStep) {

  /** libtorch compositions: every type, every device. */
  public static final Kernels REFERENCE =
      new Kernels(
          "reference",
          new ReferenceSelectiveScan(),
          new ReferenceCausalConv(),
          new ReferenceMemoryAttention(),
          new ReferenceEideticSelect(),
          new ReferenceSetGather(),
          new ReferenceInnovationScore(),
          new ReferenceRmsNorm(),
          new ReferenceRotary(),
          new ReferenceSwiGlu(),
          new ReferenceLinearCrossEntropy(),
          new ReferenceAdamW(),
          new ReferenceSsd(),
          new ReferenceGatedDelta(),
          new ReferenceGatedRidge(),
          new ReferencePackedLinear(),
          new ReferenceRowLinear(),
          null);

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

  /**
   * NVRTC kernels: float32 and bfloat16 on NVIDIA GPUs of compute capability 8.0 and newer.
   *
   * @throws BadInput where there is no such GPU, or no CUDA build of libtorch
   */
  public static Kernels cuda() {
    String reason = CudaRoom.unavailable();
    if (reason == null) return Cuda.ROOM;
    throw new BadInput(
        reason,
        "the cuda room needs an NVIDIA GPU and libtorch's CUDA build",
        "build with -Dcuda, check the driver with nvidia-smi, or use another backend");
  }

  /** Made when first asked for, as the cpu room is. */
  private static final class Cuda {
    static final Kernels ROOM =
        new Kernels(
            "cuda",
            new CudaSelectiveScan(),
            new CudaCausalConv(),
            new CudaMemoryAttention(REFERENCE.memoryAttention),
            new CudaEideticSelect(REFERENCE.eideticSelect),
            new CudaSetGather(REFERENCE.setGather),
            new CudaInnovationScore(),
            new CudaRmsNorm(),
            new CudaRotary(),
            new CudaSwiGlu(),
            new CudaLinearCrossEntropy(),
            new CudaAdamW(),
            new CudaSsd(REFERENCE.ssd),
            new CudaGatedDelta(REFERENCE.gatedDelta),
            new CudaGatedRidge(REFERENCE.gatedRidge),
            REFERENCE.packedLinear,
            new CudaRowLinear(),
            new CudaTokenStep());
  }

  /** Made when first asked for: its classes need a module that may be missing. */
  private static final class Cpu {
    static final Kernels ROOM =
        new Kernels(
            "cpu",
            new CpuSelectiveScan(),
            new CpuCausalConv(),
            new CpuMemoryAttention(),
            new CpuEideticSelect(),
            REFERENCE.setGather,
            new CpuInnovationScore(),
            new CpuRmsNorm(),
            new CpuRotary(),
            new CpuSwiGlu(),
            new CpuLinearCrossEntropy(),
            new CpuAdamW(),
            new CpuSsd(),
            new CpuGatedDelta(),
            new CpuGatedRidge(new ReferenceGatedRidge()),
            new CpuPackedLinear(),
            REFERENCE.rowLinear,
            null);
  }
}
