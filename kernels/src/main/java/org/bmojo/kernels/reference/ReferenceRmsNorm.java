package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** RMSNorm as its formula says. */
public final class ReferenceRmsNorm implements RmsNorm {
  @Override
  public Output forward(Tensor x, @Nullable Tensor weight, double eps) {
    try (Scope scope = new Scope()) {
      Tensor wide = accumulated(x);
      Tensor scale = wide.square().mean(-1).add(scalar(eps)).rsqrt();
      Tensor y = wide.mul(scale.unsqueeze(-1));
      if (weight != null) y = y.mul(accumulated(weight));
      return new Output(scope.keep(as(y, x)), scope.keep(scale));
    }
  }

  @Override
  public Gradients backward(Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    try (Scope scope = new Scope()) {
      Tensor s = scale.unsqueeze(-1);
      Tensor normalised = accumulated(x).mul(s);
      Tensor g = accumulated(dy);
      Tensor gain = weight == null ? g : g.mul(accumulated(weight));
      // d/dx of x/rms(x): remove the part along x, then scale.
      Tensor along = gain.mul(normalised).mean(new long[] {-1}, true, null);
      Tensor dx = gain.sub(normalised.mul(along)).mul(s);
      Tensor dw =
          weight == null
              ? null
              : scope.keep(as(g.mul(normalised).reshape(-1, x.size(-1)).sum(0), weight));
      return new Gradients(scope.keep(as(dx, x)), dw);
    }
  }
}
