package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019): y = x /
 * sqrt(mean(x²) + eps) · weight.
 */
public interface RmsNorm {
  /**
   * What leaves.
   *
   * @param y the shape of x
   * @param scale 1 / sqrt(mean(x²) + eps), the shape of x without its last axis, float32 or float64
   */
  record Output(Tensor y, Tensor scale) {}

  /** Gradients; {@code weight} is null where there is none. */
  record Gradients(Tensor x, @Nullable Tensor weight) {}

  /**
   * Normalises every row.
   *
   * @param x (…, d)
   * @param weight (d), or null for no gain
   */
  Output forward(Tensor x, @Nullable Tensor weight, double eps);

  /** Gradients of {@link #forward}, given the {@code scale} it returned. */
  Gradients backward(Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy);

  /**
   * The same with the gradient of x added to one that came another way: a residual's, say.
   *
   * @param before the shape and type of x; unchanged
   */
  default Gradients backwardOnto(
      Tensor before, Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    Gradients g = backward(x, weight, scale, dy);
    return new Gradients(before.add(g.x), g.weight);
  }
}
