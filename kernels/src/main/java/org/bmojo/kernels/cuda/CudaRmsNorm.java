package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import java.util.Arrays;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * {@code rms_norm.cu}: a row stays in registers between its mean and its use, so that each tensor
 * crosses memory once.
 */
public final class CudaRmsNorm implements RmsNorm {
  private static final String OP = "RMS normalisation";

  @Override
  public Output forward(Tensor x, @Nullable Tensor weight, double eps) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, x);
      NormRows norm = NormRows.forward(OP, x);
      Rows rows = norm.rows();
      Tensor y = empty(x, Shapes.of(x));
      Tensor scale = Floats.empty(x, Arrays.copyOf(Shapes.of(x), (int) x.dim() - 1));
      norm.program(x, weight == null ? x : weight)
          .kernel("norm_forward")
          .launch(
              rows.all(),
              door.activation("x", x),
              gain(door, rows, weight),
              y,
              scale,
              rows.count(),
              (float) eps);
      return new Output(scope.keep(y), scope.keep(scale));
    }
  }

  @Override
  public Gradients backward(Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    return run(null, x, weight, scale, dy);
  }

  @Override
  public Gradients backwardOnto(
      Tensor before, Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    Shapes.expect(OP, "before", before, Shapes.of(x));
    return run(before, x, weight, scale, dy);
  }

  private static Gradients run(
      @Nullable Tensor before, Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, x);
      Shapes.expect(OP, "dy", dy, Shapes.of(x));
      NormRows norm = NormRows.backward(OP, x);
      Rows rows = norm.rows();
      Program program = norm.program(x, weight == null ? x : weight);
      Grid grid = norm.walking(Device.of(x));
      int parts = Math.toIntExact(grid.x());
      Tensor dx = empty(x, Shapes.of(x));
      Tensor sums = weight == null ? null : Floats.empty(x, parts, rows.width());
      program
          .kernel("norm_backward")
          .launch(
              grid,
              door.activation("x", x),
              gain(door, rows, weight),
              door.state("scale", scale),
              door.activation("dy", dy),
              before == null ? null : door.activation("before", before),
              dx,
              sums,
              rows.count());
      if (weight == null) return new Gradients(scope.keep(dx), null);
      Tensor dWeight = empty(weight, Shapes.of(weight));
      program
          .kernel("norm_sum_parts")
          .launch(new Grid((rows.width() + 31) / 32, 1024), sums, dWeight, parts);
      return new Gradients(scope.keep(dx), scope.keep(dWeight));
    }
  }

  private static @Nullable Tensor gain(Door door, Rows rows, @Nullable Tensor weight) {
    if (weight == null) return null;
    Shapes.expect(OP, "weight", weight, rows.width());
    return door.weight("weight", weight);
  }
}
