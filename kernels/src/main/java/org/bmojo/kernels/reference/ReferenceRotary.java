package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;

import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/** A turn of every plane (first half, second half) by its angle. */
public final class ReferenceRotary implements Rotary {
  @Override
  public Tensor forward(Tensor x, Tensor cos, Tensor sin) {
    try (Scope scope = new Scope()) {
      long half = x.size(-1) / 2;
      Tensor wide = accumulated(x);
      Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
      Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1); // (T, 1, D/2)
      Tensor turned = cat(-1, a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s)));
      return scope.keep(as(turned, x));
    }
  }

  @Override
  public Tensor backward(Tensor dy, Tensor cos, Tensor sin) {
    try (Scope scope = new Scope()) {
      return scope.keep(forward(dy, cos, sin.neg()));
    }
  }
}
