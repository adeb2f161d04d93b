package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import java.util.Arrays;
import java.util.stream.LongStream;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.SetGather;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * {@code set_gather.cu}: the gradient without atomics. libtorch's own gathers on the way there,
 * which is one read and one write.
 */
public final class CudaSetGather implements SetGather {
  private static final String OP = "set gather";
  private static final int WARPS = 8;

  private final SetGather composed;

  /**
   * A room's gather.
   *
   * @param composed gathers
   */
  public CudaSetGather(SetGather composed) {
    this.composed = composed;
  }

  @Override
  public Tensor forward(@Nullable Tensor past, Tensor fresh, Sets sets) {
    return composed.forward(past, fresh, sets);
  }

  @Override
  public Tensor backward(Sets sets, long past, long tokens, Tensor dy) {
    return run(null, sets, past, tokens, dy);
  }

  @Override
  public Tensor backwardOnto(Tensor before, Sets sets, long past, long tokens, Tensor dy) {
    return run(before, sets, past, tokens, dy);
  }

  private static Tensor run(@Nullable Tensor before, Sets sets, long past, long tokens, Tensor dy) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, dy);
      long[] shape =
          LongStream.concat(LongStream.of(dy.size(0), tokens), Arrays.stream(Shapes.of(dy)).skip(3))
              .toArray();
      Tensor dx = empty(dy, shape);
      if (before != null) Shapes.expect(OP, "before", before, shape);
      long width = dx.numel() / (dx.size(0) * tokens);
      int vector = Vectors.width(dy, width);
      Program.of(
              dy,
              "set_gather",
              "ELEMENT=" + Program.type(dy),
              "VECTOR=" + vector,
              "WIDTH=" + width,
              "WARPS=" + WARPS)
          .kernel("gather_backward")
          .launch(
              new Grid((dx.size(0) * tokens + WARPS - 1) / WARPS, 32 * WARPS),
              door.index("rows", sets.rows()),
              door.index("positions", sets.positions()),
              door.activation("dy", dy),
              before == null ? null : door.activation("before", before),
              dx,
              dx.size(0) * tokens,
              (int) tokens,
              past,
              (int) sets.rows().size(1),
              (int) sets.rows().size(2));
      return scope.keep(dx);
    }
  }
}
