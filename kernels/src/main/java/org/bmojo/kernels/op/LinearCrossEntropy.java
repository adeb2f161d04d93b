package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Scalar;
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
   * Refuses shapes that do not fit together and, on the CPU, targets outside the vocabulary (on
   * another device looking would mean waiting for it).
   *
   * @throws BadInput saying which and why
   */
  static void expectFit(Tensor hidden, Tensor weight, Tensor targets) {
    String op = "linear cross-entropy";
    expect(op, "hidden", hidden, ANY, ANY);
    expect(op, "weight", weight, ANY, hidden.size(1));
    expect(op, "targets", targets, hidden.size(0));
    if (!targets.is_cpu()) return;
    try (Scope scope = new Scope()) {
      long words = weight.size(0);
      Tensor outside = targets.lt(new Scalar(0L)).logical_or(targets.ge(new Scalar(words)));
      Tensor wrong = outside.logical_and(targets.ne(new Scalar(IGNORED)));
      if (!wrong.any().item_bool()) return;
      throw new BadInput(
          op + ": target " + targets.masked_select(wrong).select(0, 0).item_long(),
          "expected one in [0, " + words + ") or " + IGNORED + " for none",
          "use the tokenizer that the model was made with");
    }
  }

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
