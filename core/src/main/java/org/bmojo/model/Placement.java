package org.bmojo.model;

import java.util.Locale;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.CudaRoom;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Where a model computes, and in which type its matrices are multiplied. The rest (norms' gains,
 * decay rates, states of recurrences, an optimizer's masters and moments) is float32 everywhere.
 *
 * @param device as libtorch spells it: {@code cpu}, {@code cuda:0}
 * @param type of matrices and activations
 */
public record Placement(String device, ScalarType type) {
  /** The CPU, float32: where models are made and loaded. */
  public static final Placement CPU = new Placement("cpu", ScalarType.Float);

  /**
   * As users say it.
   *
   * @param device {@code cpu}, {@code cuda}, {@code cuda:1} …
   * @param precision {@code bf16} or {@code fp32}; null for what suits the device: bf16 on a GPU
   * @throws BadInput if there is no such device or type here
   */
  public static Placement of(String device, @Nullable String precision) {
    return of(device, precision, 0);
  }

  /**
   * The same for one of several processes on a machine.
   *
   * @param local which of them; {@code cuda} is the GPU of that number, or the only one it sees
   */
  public static Placement of(String device, @Nullable String precision, int local) {
    boolean any = device.equals("cuda");
    boolean only = any && CudaRoom.unavailable() == null && torch.cuda_device_count() == 1;
    String name = any ? "cuda:" + (only ? 0 : local) : device;
    boolean gpu = name.matches("cuda:\\d+");
    if (!gpu && !name.equals("cpu")) {
      throw new BadInput("device " + device, "expected cpu, cuda or cuda:N", "Correct it");
    }
    if (gpu) requireGpu(any && local == 0 ? device : name, Integer.parseInt(name.substring(5)));
    String wanted = precision == null ? (gpu ? "bf16" : "fp32") : precision;
    return switch (wanted.toLowerCase(Locale.ROOT)) {
      case "bf16" -> new Placement(name, ScalarType.BFloat16);
      case "fp32" -> new Placement(name, ScalarType.Float);
      default ->
          throw new BadInput("precision " + precision, "expected bf16 or fp32", "Correct it");
    };
  }

  private static void requireGpu(String device, int index) {
    String reason = CudaRoom.unavailable();
    if (reason != null) {
      throw new BadInput(
          "device " + device + ": " + reason,
          "expected an NVIDIA GPU and libtorch's CUDA build",
          "Set BMOJO_CUDA=1 for ./bmojo, see ./bmojo doctor, or use --device cpu");
    }
    int count = torch.cuda_device_count();
    if (index >= count) {
      throw new BadInput(
          "device " + device, "expected cuda:0 to cuda:" + (count - 1), "Name one of these");
    }
  }

  /** The type as users say it. */
  public String precision() {
    return type == ScalarType.BFloat16 ? "bf16" : "fp32";
  }

  /**
   * On a GPU, gives the calling thread a stream of its own, so that small models trained side by
   * side fill the GPU together; elsewhere does nothing.
   */
  public void ownStream() {
    if (libtorch().is_cuda()) CudaRoom.ownStream(libtorch().index());
  }

  /** As libtorch wants it. */
  public Device libtorch() {
    return new Device(device);
  }

  /** Whether this is where models are made anyway. */
  boolean isDefault() {
    return device.equals("cpu") && type == ScalarType.Float;
  }
}
