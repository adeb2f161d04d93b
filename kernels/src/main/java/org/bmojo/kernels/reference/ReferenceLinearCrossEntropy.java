package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** All logits at once. */
public final class ReferenceLinearCrossEntropy implements LinearCrossEntropy {
  @Override
  public Output forward(
      Tensor hidden, Tensor weight, Tensor targets, double scale, boolean gradients) {
    LinearCrossEntropy.expectFit(hidden, weight, targets);
    try (Scope scope = new Scope()) {
      Tensor logits = accumulated(hidden.matmul(weight.t())); // (M, V)
      Tensor logProbability = torch.log_softmax(logits, -1);
      Tensor labelled = targets.ne(new Scalar(IGNORED)); // (M)
      Tensor index = targets.mul(labelled).unsqueeze(-1); // ignored rows read column 0
      Tensor mask = labelled.to(logits.scalar_type());
      Tensor losses = logProbability.gather(1, index).squeeze(-1).neg().mul(mask);
      if (!gradients) return new Output(scope.keep(losses), null, null);
      Tensor dLogits = logProbability.exp();
      dLogits.scatter_add_(1, index, torch.ones_like(index).to(logits.scalar_type()).neg());
      dLogits.mul_(mask.mul(scalar(scale)).unsqueeze(-1));
      Tensor narrow = as(dLogits, hidden);
      return new Output(
          scope.keep(losses),
          scope.keep(narrow.matmul(weight)),
          scope.keep(narrow.t().matmul(hidden)));
    }
  }
}
