package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.as;

import org.bmojo.kernels.op.PackedLinear;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/** Unpacks, then multiplies. */
public final class ReferencePackedLinear implements PackedLinear {
  @Override
  public Tensor forward(Tensor x, PackedMatrix weight) {
    try (Scope scope = new Scope()) {
      return scope.keep(x.matmul(as(weight.unpacked(), x).t()));
    }
  }
}
