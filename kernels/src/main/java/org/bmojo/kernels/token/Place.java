package org.bmojo.kernels.token;

import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A part of a state that a program reads and writes in place: another tensor for each state. */
public final class Place {
  private @Nullable Tensor tensor;
  private @Nullable Floats floats;

  /**
   * Stands for {@code t} from now on.
   *
   * @param t float32 on the CPU, contiguous; to be kept alive by the caller
   */
  public void set(Tensor t) {
    if (t == tensor) return;
    if (!t.is_contiguous() || t.scalar_type().intern() != ScalarType.Float) {
      throw new IllegalStateException("a state's part that cannot be written in place");
    }
    floats = Floats.of(t);
    tensor = t;
  }

  Floats floats() {
    Floats f = floats;
    if (f == null) throw new IllegalStateException("a program without a state");
    return f;
  }

  /** Axis {@code axis} of the tensor. */
  int size(int axis) {
    Tensor t = tensor;
    if (t == null) throw new IllegalStateException("a program without a state");
    return (int) t.size(axis);
  }
}
