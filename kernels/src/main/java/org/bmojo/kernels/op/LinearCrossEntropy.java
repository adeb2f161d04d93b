package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Output projection and cross-entropy in one, so that logits of a whole batch need never exist: the
 * loss of row m is −log softmax(hidden_m · weightᵀ)[target_m].
 *
 * <p>Gradients are computed together with the loss, while a block of logits is at hand; the
 * backward pass only scales them.
 */
public interface LinearCrossEntropy {
  /** A target that carries no loss. */
  long IGNORED = -100;

  /**
   * What leaves.
   *
   * @param losses (M) in nats, 0 where the target is {@link #IGNORED}; float32 or float64
   * @param hidden (M, d) gradient of Σ scale·loss with respect to hidden; null unless asked for
   * @param weight (V, d) the same with respect to weight
   */
  record Output(Tensor losses, @Nullable Tensor hidden, @Nullable Tensor weight) {}

  /**
   * Losses and, if asked for, gradients.
   *
   * @param hidden (M, d)
   * @param weight (V, d)
   * @param targets (M) int64 in [0, V) or {@link #IGNORED}
   * @param scale the gradient is of scale · Σ losses
   * @param gradients whether to compute them
   */
  Output forward(Tensor hidden, Tensor weight, Tensor targets, double scale, boolean gradients);
}
