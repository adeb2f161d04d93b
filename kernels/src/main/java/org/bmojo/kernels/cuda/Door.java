package org.bmojo.kernels.cuda;

import java.util.Arrays;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What an operation of this room lets in: dense tensors on one GPU, activations float32 or
 * bfloat16, states and statistics float32. Shapes are the operation's own affair.
 *
 * @param operation for messages
 * @param like the tensor that sets the device and the type of activations
 */
record Door(String operation, Tensor like) {
  private static final List<ScalarType> ACTIVATIONS =
      List.of(ScalarType.Float, ScalarType.BFloat16);

  /** Opens for the device and the type of {@code like}. */
  Door {
    if (!Device.holds(like)) {
      throw new BadInput(
          operation + ": a tensor is on " + like.device().str().getString(),
          "the cuda room expects GPU memory",
          "move the model to the GPU or use another backend");
    }
    if (!ACTIVATIONS.contains(like.scalar_type().intern())) {
      throw new BadInput(
          operation + ": activations are " + like.scalar_type().intern(),
          "the cuda room expects one of " + ACTIVATIONS,
          "convert them or use the reference backend");
    }
  }

  /** An activation, of the same type as {@code like}; a view with gaps is made dense. */
  Tensor activation(String name, Tensor t) {
    return dense(name, t, like.scalar_type().intern());
  }

  /**
   * An activation (B, T, H, …) whose rows may lie apart, or be shared by heads; made dense only
   * where 16 bytes of a row could not be read at once.
   */
  Tensor rows(String name, Tensor t) {
    if (t.is_contiguous() || t.dim() != 4 || t.stride(3) != 1) return activation(name, t);
    boolean even = t.size(0) == 1 || t.stride(0) == t.size(1) * t.stride(1);
    boolean whole =
        t.stride(1) % 8 == 0 && t.stride(2) % 8 == 0 && t.data_ptr().address() % 16 == 0;
    return even && whole ? checked(name, t, like.scalar_type().intern()) : activation(name, t);
  }

  /** A weight: float32 or bfloat16 whatever the activations are. */
  Tensor weight(String name, Tensor t) {
    ScalarType type = t.scalar_type().intern();
    return dense(name, t, ACTIVATIONS.contains(type) ? type : ScalarType.Float);
  }

  /** A state, decay or statistic. */
  Tensor state(String name, Tensor t) {
    return dense(name, t, ScalarType.Float);
  }

  /** The same of what may be missing. */
  @Nullable Tensor stateOrNull(String name, @Nullable Tensor t) {
    return t == null ? null : state(name, t);
  }

  /** Indices. */
  Tensor index(String name, Tensor t) {
    return dense(name, t, ScalarType.Long);
  }

  /** Where documents begin, if there are several in a row. */
  @Nullable Tensor beginOrNull(@Nullable Tensor t) {
    return t == null ? null : dense("begin", t, ScalarType.Int);
  }

  /**
   * A tensor that is written in place: a copy would swallow what is written.
   *
   * @throws BadInput where it has gaps
   */
  Tensor mutable(String name, Tensor t, ScalarType type) {
    if (!t.is_contiguous()) {
      throw new BadInput(
          operation + ": " + name + " " + Arrays.toString(Shapes.of(t)) + " is a view with gaps",
          "expected a contiguous tensor, because it is advanced in place",
          "make it contiguous when it is created");
    }
    return dense(name, t, type);
  }

  private Tensor dense(String name, Tensor t, ScalarType type) {
    Tensor known = checked(name, t, type);
    return known.is_contiguous() ? known : known.contiguous();
  }

  private Tensor checked(String name, Tensor t, ScalarType type) {
    Shapes.sameDevice(operation, name, t, like);
    if (t.scalar_type().intern() != type) {
      throw new BadInput(
          operation + ": " + name + " is " + t.scalar_type().intern(),
          "the cuda room expects " + type,
          "convert " + name);
    }
    return t;
  }
}
