package org.bmojo.kernels.cuda;

import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Uninitialised memory of a type of its own. */
final class Floats {
  private Floats() {}

  /** float32, on the device of {@code like}. */
  static Tensor empty(Tensor like, long... shape) {
    return empty(like, ScalarType.Float, shape);
  }

  /** Of the type asked for. */
  static Tensor empty(Tensor like, ScalarType type, long... shape) {
    return torch.empty(shape, like.options().dtype(new ScalarTypeOptional(type)), null);
  }
}
