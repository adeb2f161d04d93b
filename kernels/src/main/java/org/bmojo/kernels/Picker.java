package org.bmojo.kernels;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.CudaRoom;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which room serves a tensor, once for each kind of device and type, and says so in the
 * log.
 *
 * <p>Unforced, the fastest room that serves the type is taken; a slower one than the device could
 * have is a warning with its cure. The system property {@code bmojo.kernels} forces one room; where
 * that cannot serve, it fails instead of falling back.
 */
final class Picker {
  /** Names a room: "reference", "cpu" or "cuda"; unset, the choice is ours. */
  static final String PROPERTY = "bmojo.kernels";

  private static final Logger LOG = LoggerFactory.getLogger(Kernels.class);
  private static final String CURE_VECTOR = "start the JVM with --add-modules=jdk.incubator.vector";

  private final @Nullable String forced;
  private final boolean vectors;

  /** By device (0 CPU, 1 CUDA) and type; racing threads write the same choice twice. */
  private final @Nullable Kernels[][] picked = new Kernels[2][ScalarType.values().length];

  Picker(@Nullable String forced, boolean vectors) {
    this.forced = forced;
    this.vectors = vectors;
  }

  /** As this JVM was started. */
  static Picker ofThisJvm() {
    return new Picker(System.getProperty(PROPERTY), hasVectors());
  }

  static boolean hasVectors() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  Kernels pick(Tensor like) {
    boolean cuda = like.is_cuda();
    ScalarType type = like.scalar_type().intern();
    @Nullable Kernels[] ofDevice = picked[cuda ? 1 : 0];
    Kernels known = ofDevice[type.ordinal()];
    if (known != null) return known;
    Kernels chosen = forced == null ? choose(cuda, type) : force(forced, cuda, type);
    ofDevice[type.ordinal()] = chosen;
    return chosen;
  }

  private Kernels choose(boolean cuda, ScalarType type) {
    if (cuda) return chooseOnGpu(type);
    if (!servedByCpu(type)) {
      return chosen(Kernels.REFERENCE, cuda, type, "the cpu room is for float32 and narrower");
    }
    if (!vectors) {
      LOG.warn(
          "kernels: reference for {} on cpu, several times slower than it need be: no Vector API;"
              + " {}",
          type,
          CURE_VECTOR);
      return Kernels.REFERENCE;
    }
    return chosen(Kernels.cpu(), cuda, type, "Vector API");
  }

  private Kernels chooseOnGpu(ScalarType type) {
    if (!servedByCuda(type)) {
      return chosen(Kernels.REFERENCE, true, type, "the cuda room is for float32 and bfloat16");
    }
    String reason = CudaRoom.unavailable();
    if (reason == null) return chosen(Kernels.cuda(), true, type, "NVRTC");
    LOG.warn("kernels: reference for {} on cuda, many times slower: {}", type, reason);
    return Kernels.REFERENCE;
  }

  private Kernels force(String name, boolean cuda, ScalarType type) {
    String reason = "forced by -D" + PROPERTY;
    return switch (name) {
      case "reference" -> chosen(Kernels.REFERENCE, cuda, type, reason);
      case "cpu" -> {
        if (cuda)
          throw refused(name, "the tensor is on a CUDA device", "move the model to the CPU");
        if (!servedByCpu(type)) {
          throw refused(name, "the tensor is of type " + type, "use float32 or bfloat16");
        }
        if (!vectors) throw refused(name, "the Vector API is not there", CURE_VECTOR);
        yield chosen(Kernels.cpu(), cuda, type, reason);
      }
      case "cuda" -> {
        String missing = CudaRoom.unavailable();
        if (missing != null) throw refused(name, missing, "force cpu or reference");
        if (!cuda) throw refused(name, "the tensor is on the CPU", "move the model to the GPU");
        if (!servedByCuda(type)) {
          throw refused(name, "the tensor is of type " + type, "use float32 or bfloat16");
        }
        yield chosen(Kernels.cuda(), cuda, type, reason);
      }
      default ->
          throw new BadInput(
              "-D" + PROPERTY + "=" + name, "expected reference, cpu or cuda", "name one of these");
    };
  }

  private static boolean servedByCpu(ScalarType type) {
    return type == ScalarType.Float || type == ScalarType.BFloat16 || type == ScalarType.Half;
  }

  private static boolean servedByCuda(ScalarType type) {
    return type == ScalarType.Float || type == ScalarType.BFloat16;
  }

  private static Kernels chosen(Kernels room, boolean cuda, ScalarType type, String reason) {
    LOG.info("kernels: {} for {} on {}: {}", room.name(), type, cuda ? "cuda" : "cpu", reason);
    return room;
  }

  private static BadInput refused(String name, String found, String cure) {
    return new BadInput(
        "-D" + PROPERTY + "=" + name + ", but " + found,
        "expected a tensor and a JVM that the " + name + " room can serve",
        cure + ", or leave the property away");
  }
}
