package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.op.PackedMatrix.PANEL;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.PackedLinear;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Few rows: a product of the matrix with each ({@link MatrixRows}), panel by panel, so that the
 * codes come from memory once. Many: one matrix product of libtorch's, whose time makes up for
 * unpacking the codes first ({@link Unpacking}).
 */
public final class CpuPackedLinear implements PackedLinear {
  /** Up to how many rows reading codes as they lie is quicker. */
  private static final long FEW = 6;

  /** Panels of a task. */
  private static final int GRAIN = 4;

  @Override
  public Tensor forward(Tensor x, PackedMatrix weight) {
    Shapes.expect("packed linear", "x", x.reshape(-1, x.size(-1)), Shapes.ANY, weight.in());
    long[] shape = Shapes.of(x);
    shape[shape.length - 1] = weight.out();
    try (Scope scope = new Scope()) {
      Tensor rows = x.reshape(-1, weight.in());
      Tensor y = rows.size(0) <= FEW ? few(rows, weight) : many(rows, weight);
      return scope.keep(as(y, x).reshape(shape));
    }
  }

  private static Tensor few(Tensor x, PackedMatrix weight) {
    MatrixRows matrix = new MatrixRows(weight);
    int count = (int) x.size(0), in = matrix.in(), out = matrix.out();
    Floats from = Floats.of(x), to = Floats.of(empty(x, ScalarType.Float, count, out));
    float[][] prepared = new float[count][];
    float[] row = new float[matrix.paddedIn()];
    for (int r = 0; r < count; r++) {
      from.read((long) r * in, row, 0, in);
      prepared[r] = new float[matrix.preparedLength()];
      matrix.prepare(row, prepared[r]);
    }
    Cores.forRanges(
        matrix.panels(),
        GRAIN,
        (first, end) -> {
          float[] y = new float[PANEL];
          float[] mine = new float[matrix.preparedLength()];
          for (int r = 0; r < count; r++) {
            // A copy, because the matrix leaves unfinished sums in it.
            System.arraycopy(prepared[r], 0, mine, 0, mine.length);
            for (long panel = first; panel < end; panel++) {
              matrix.multiply((int) panel, mine, y, 0);
              long at = panel * PANEL;
              to.write((long) r * out + at, y, 0, (int) Math.min(PANEL, out - at));
            }
          }
        });
    return to.owner();
  }

  private static Tensor many(Tensor x, PackedMatrix weight) {
    if (weight.format() == Format.FP32) return x.to(ScalarType.Float).matmul(weight.codes().t());
    Tensor narrow = x.to(ScalarType.BFloat16);
    if (weight.format() == Format.BF16) {
      return narrow.matmul(weight.codes().narrow(1, 0, weight.in()).t());
    }
    return narrow.matmul(Unpacking.transposed(weight));
  }
}
