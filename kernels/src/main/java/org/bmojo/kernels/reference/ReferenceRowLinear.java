package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.as;

import java.util.List;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** libtorch's linear maps, one after the other. */
public final class ReferenceRowLinear implements RowLinear {
  @Override
  public void forward(Tensor x, @Nullable Norm norm, List<Map> maps, List<Tensor> added) {
    RowLinear.check(x, norm, maps, added);
    try (Scope _ = new Scope()) {
      Tensor rows = normalised(x, norm);
      for (Map map : maps) {
        Tensor y = rows.matmul(as(map.weight(), rows).t());
        for (Tensor more : added) y = y.add(more);
        map.out().copy_(y);
      }
    }
  }

  @Override
  public void gated(Tensor x, @Nullable Norm norm, Tensor gate, Tensor up, Tensor out) {
    RowLinear.check(x, norm, List.of(new Map(gate, out), new Map(up, out)), List.of());
    try (Scope _ = new Scope()) {
      Tensor rows = normalised(x, norm);
      Tensor open = rows.matmul(as(gate, rows).t()), in = rows.matmul(as(up, rows).t());
      out.copy_(new ReferenceSwiGlu().forward(open, in));
    }
  }

  private static Tensor normalised(Tensor x, @Nullable Norm norm) {
    if (norm == null) return x;
    Tensor y = new ReferenceRmsNorm().forward(x, norm.gain(), norm.eps()).y();
    if (norm.out() != null) norm.out().copy_(y);
    return y;
  }
}
