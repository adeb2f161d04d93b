package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;

import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** silu(gate) · up, composed. */
public final class ReferenceSwiGlu implements SwiGlu {
  @Override
  public Tensor forward(Tensor gate, Tensor up) {
    try (Scope scope = new Scope()) {
      return scope.keep(as(torch.silu(accumulated(gate)).mul(accumulated(up)), gate));
    }
  }

  @Override
  public Gradients backward(Tensor gate, Tensor up, Tensor dy) {
    try (Scope scope = new Scope()) {
      Tensor g = accumulated(gate), d = accumulated(dy);
      Tensor sigmoid = g.sigmoid();
      Tensor one = torch.ones_like(sigmoid);
      Tensor slope = sigmoid.mul(one.add(g.mul(one.sub(sigmoid))));
      return new Gradients(
          scope.keep(as(d.mul(accumulated(up)).mul(slope), gate)),
          scope.keep(as(d.mul(g).mul(sigmoid), up)));
    }
  }
}
