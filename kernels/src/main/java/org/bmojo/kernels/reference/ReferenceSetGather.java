package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import java.util.stream.LongStream;
import org.bmojo.kernels.op.SetGather;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** By selection and addition of indexed rows. */
public final class ReferenceSetGather implements SetGather {
  @Override
  public Tensor forward(@Nullable Tensor past, Tensor fresh, Sets sets) {
    SetGather.expectFit(past, fresh, sets);
    try (Scope scope = new Scope()) {
      Tensor source = past == null ? fresh : cat(1, past, fresh);
      long length = source.size(1);
      Tensor flat = source.reshape(source.size(0) * length, -1);
      Tensor y = flat.index_select(0, flatRows(sets, length));
      return scope.keep(y.reshape(shape(sets, Shapes.of(fresh))));
    }
  }

  private static long[] shape(Sets sets, long[] candidates) {
    LongStream rest = Arrays.stream(candidates).skip(2);
    return LongStream.concat(Arrays.stream(Shapes.of(sets.rows())), rest).toArray();
  }

  @Override
  public Tensor backward(Sets sets, long past, long tokens, Tensor dy) {
    try (Scope scope = new Scope()) {
      long batch = dy.size(0), length = past + tokens, members = sets.rows().numel();
      Tensor filled = sets.positions().ge(new Scalar(0L)).reshape(members, 1);
      Tensor each = dy.reshape(members, -1).mul(filled.to(dy.scalar_type()));
      Tensor all = zeros(dy, batch * length, each.size(1));
      all.index_add_(0, flatRows(sets, length), each);
      long[] shape =
          LongStream.concat(LongStream.of(batch, tokens), Arrays.stream(Shapes.of(dy)).skip(3))
              .toArray();
      Tensor own = all.reshape(batch, length, -1).narrow(1, past, tokens);
      return scope.keep(own.reshape(shape));
    }
  }

  private static Tensor flatRows(Sets sets, long length) {
    long batch = sets.rows().size(0);
    Tensor first = range(sets.rows(), 0, batch).mul(scalar(length)).to(sets.rows().scalar_type());
    return sets.rows().add(first.reshape(batch, 1, 1)).reshape(-1);
  }
}
