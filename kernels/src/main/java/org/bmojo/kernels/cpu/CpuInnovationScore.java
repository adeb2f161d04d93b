package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Norm and squared difference in two passes over each row, the second from the cache. */
public final class CpuInnovationScore implements InnovationScore {
  @Override
  public Tensor forward(Tensor x, Tensor predicted) {
    try (Scope scope = new Scope()) {
      int width = Math.toIntExact(x.size(-1));
      Floats from = Floats.of(x), p = Floats.of(predicted);
      Floats e = Floats.of(empty(x, ScalarType.Float, x.size(0), x.size(1)));
      Cores.forRanges(
          Rows.count(x),
          Rows.grain(width),
          (first, end) -> {
            float[] lanes = new float[LANES];
            for (long row = first; row < end; row++) {
              float s = Rows.scale(from, row * width, width, EPS, lanes);
              e.set(row, Lanes.sum(squares(from, p, row * width, width, s), lanes) / width);
            }
          });
      return scope.keep(e.owner());
    }
  }

  private static FloatVector squares(Floats x, Floats predicted, long at, int width, float s) {
    FloatVector sum = all(0f);
    for (int i = 0; i < width; i += LANES) {
      FloatVector difference = difference(x, predicted, at + i, width - i, s);
      sum = difference.fma(difference, sum);
    }
    return sum;
  }

  private static FloatVector difference(Floats x, Floats predicted, long at, int rest, float s) {
    return load(x, at, rest).mul(s).sub(load(predicted, at, rest));
  }

  @Override
  public Gradients backward(Tensor x, Tensor predicted, Tensor de) {
    try (Scope scope = new Scope()) {
      int width = Math.toIntExact(x.size(-1));
      Floats from = Floats.of(x), p = Floats.of(predicted), g = Floats.of(de);
      Floats dx = Floats.like(x), dp = Floats.like(predicted);
      Cores.forRanges(
          Rows.count(x),
          Rows.grain(width),
          (first, end) -> {
            float[] lanes = new float[LANES];
            for (long row = first; row < end; row++) {
              long at = row * width;
              float s = Rows.scale(from, at, width, EPS, lanes);
              float along = Lanes.sum(along(from, p, at, width, s), lanes) / width;
              project(from, p, dx, dp, at, width, s, along, 2 * g.get(row) / width);
            }
          });
      return new Gradients(scope.keep(as(dx.owner(), x)), scope.keep(as(dp.owner(), predicted)));
    }
  }

  /** The sum of difference·normalised: how far the difference points along x. */
  private static FloatVector along(Floats x, Floats predicted, long at, int width, float s) {
    FloatVector sum = all(0f);
    for (int i = 0; i < width; i += LANES) {
      FloatVector difference = difference(x, predicted, at + i, width - i, s);
      sum = load(x, at + i, width - i).mul(s).fma(difference, sum);
    }
    return sum;
  }

  /** dpredicted = −g·difference and dx = g·(difference − normalised·along)·scale. */
  private static void project(
      Floats x,
      Floats predicted,
      Floats dx,
      Floats dp,
      long at,
      int width,
      float s,
      float along,
      float g) {
    for (int i = 0; i < width; i += LANES) {
      int rest = width - i;
      FloatVector normalised = load(x, at + i, rest).mul(s);
      FloatVector difference = normalised.sub(load(predicted, at + i, rest));
      store(difference.mul(-g), dp, at + i, rest);
      store(difference.sub(normalised.mul(along)).mul(s * g), dx, at + i, rest);
    }
  }
}
