package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** AdamW, one parameter after another. */
public final class ReferenceAdamW implements AdamW {
  @Override
  public Tensor gradientNorm(List<Slot> slots) {
    try (Scope scope = new Scope()) {
      Tensor sum = torch.scalar_tensor(scalar(0)).to(ScalarType.Double);
      for (Slot slot : slots) {
        sum = slot.gradient().to(ScalarType.Double).square().sum().add(sum);
      }
      return scope.keep(sum.sqrt());
    }
  }

  @Override
  public void step(List<Slot> slots, Settings s, Tensor norm) {
    double joint = norm.item_double();
    if (!Double.isFinite(joint)) return;
    double scale = s.gradientScale(joint);
    double firstCorrection = 1 - Math.pow(s.beta1(), s.step());
    double secondCorrection = 1 - Math.pow(s.beta2(), s.step());
    for (Slot slot : slots) {
      try (Scope scope = new Scope()) {
        Tensor g = as(slot.gradient(), slot.first()).mul(scalar(scale));
        slot.first().mul_(scalar(s.beta1())).add_(g, scalar(1 - s.beta1()));
        slot.second().mul_(scalar(s.beta2())).add_(g.square(), scalar(1 - s.beta2()));
        Tensor mean = slot.first().mul(scalar(1 / firstCorrection));
        Tensor root = slot.second().mul(scalar(1 / secondCorrection)).sqrt().add(scalar(s.eps()));
        slot.weight().mul_(scalar(1 - s.learningRate() * slot.decay()));
        slot.weight().add_(mean.div(root), scalar(-s.learningRate()));
        if (slot.copy() != null) slot.copy().copy_(slot.weight());
      }
    }
  }
}
