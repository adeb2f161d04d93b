package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@code rotary.cu}. */
public final class CudaRotary implements Rotary {
  private static final String OP = "rotary embedding";

  @Override
  public Tensor forward(Tensor x, Tensor cos, Tensor sin) {
    return turn(null, x, cos, sin, 1f);
  }

  @Override
  public Tensor backward(Tensor dy, Tensor cos, Tensor sin) {
    return turn(null, dy, cos, sin, -1f);
  }

  @Override
  public Tensor backwardOnto(Tensor before, Tensor dy, Tensor cos, Tensor sin) {
    Shapes.expect(OP, "before", before, Shapes.of(dy));
    return turn(before, dy, cos, sin, -1f);
  }

  private static Tensor turn(
      @Nullable Tensor before, Tensor x, Tensor cos, Tensor sin, float direction) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, x);
      Shapes.expect(OP, "x", x, ANY, ANY, ANY, ANY);
      long tokens = x.size(1), half = x.size(3) / 2;
      Shapes.expect(OP, "cos", cos, cos.size(0) == 1 ? 1 : tokens, half);
      Shapes.expect(OP, "sin", sin, cos.size(0), half);
      int vector = Vectors.width(x, half);
      long planes = x.numel() / 2;
      Tensor y = empty(x, Shapes.of(x));
      Program.of(x, "rotary", "ELEMENT=" + Program.type(x), "VECTOR=" + vector)
          .kernel("rotary_turn")
          .launch(
              new Grid((planes / vector + 255) / 256, 256),
              door.activation("x", x),
              door.state("cos", cos),
              door.state("sin", sin),
              before == null ? null : door.activation("before", before),
              y,
              planes,
              (int) x.size(2),
              (int) half,
              (int) tokens,
              (int) cos.size(0),
              direction);
      return scope.keep(y);
    }
  }
}
