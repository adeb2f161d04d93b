package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Two passes over each row, the second from the cache. */
public final class CpuRmsNorm implements RmsNorm {
  /** Rows whose part of the gain's gradient is summed by one task. */
  private static final long GAIN_ROWS = 64;

  @Override
  public Output forward(Tensor x, @Nullable Tensor weight, double eps) {
    try (Scope scope = new Scope()) {
      int width = Math.toIntExact(x.size(-1));
      long[] shape = Shapes.of(x);
      Floats from = Floats.of(x), y = Floats.like(x);
      Floats scale = Floats.of(empty(x, ScalarType.Float, Arrays.copyOf(shape, shape.length - 1)));
      float[] gain = gain(weight, width);
      Cores.forRanges(
          Rows.count(x),
          Rows.grain(width),
          (first, end) -> {
            float[] lanes = new float[LANES];
            for (long row = first; row < end; row++) {
              float s = Rows.scale(from, row * width, width, eps, lanes);
              scale.set(row, s);
              normalise(from, y, row * width, width, s, gain);
            }
          });
      return new Output(scope.keep(as(y.owner(), x)), scope.keep(scale.owner()));
    }
  }

  private static void normalise(Floats x, Floats y, long at, int width, float s, float[] gain) {
    for (int i = 0; i < width; i += LANES) {
      store(load(x, at + i, width - i).mul(s).mul(load(gain, i)), y, at + i, width - i);
    }
  }

  @Override
  public Gradients backward(Tensor x, @Nullable Tensor weight, Tensor scale, Tensor dy) {
    try (Scope scope = new Scope()) {
      int width = Math.toIntExact(x.size(-1));
      long rows = Rows.count(x), parts = (rows + GAIN_ROWS - 1) / GAIN_ROWS;
      Floats from = Floats.of(x), g = Floats.of(dy), s = Floats.of(scale), dx = Floats.like(x);
      float[] gain = gain(weight, width);
      Floats dGain = Floats.of(empty(x, ScalarType.Float, parts, width));
      Cores.forRanges(
          rows,
          GAIN_ROWS,
          (first, end) -> {
            float[] lanes = new float[LANES], sum = new float[gain.length];
            for (long row = first; row < end; row++) {
              float along = along(from, g, row * width, width, s.get(row), gain, sum, lanes);
              project(from, g, dx, row * width, width, s.get(row), gain, along);
            }
            dGain.write(first / GAIN_ROWS * width, sum, 0, width);
          });
      return new Gradients(
          scope.keep(as(dx.owner(), x)),
          weight == null ? null : scope.keep(as(dGain.owner().sum(0), weight)));
    }
  }

  /** The mean of dy·gain·normalised over a row; adds dy·normalised to the gain's gradient. */
  private static float along(
      Floats x, Floats dy, long at, int width, float s, float[] gain, float[] sum, float[] lanes) {
    FloatVector along = all(0f);
    for (int i = 0; i < width; i += LANES) {
      FloatVector product = load(x, at + i, width - i).mul(s).mul(load(dy, at + i, width - i));
      load(sum, i).add(product).intoArray(sum, i);
      along = product.fma(load(gain, i), along);
    }
    return Lanes.sum(along, lanes) / width;
  }

  /** dx = (dy·gain − normalised·along)·scale: what points along x has no effect on y. */
  private static void project(
      Floats x, Floats dy, Floats dx, long at, int width, float s, float[] gain, float along) {
    for (int i = 0; i < width; i += LANES) {
      FloatVector g = load(dy, at + i, width - i).mul(load(gain, i));
      FloatVector normalised = load(x, at + i, width - i).mul(s);
      store(g.sub(normalised.mul(along)).mul(s), dx, at + i, width - i);
    }
  }

  /** The gain in whole vectors: ones where there is none, zero beyond the last element. */
  private static float[] gain(@Nullable Tensor weight, int width) {
    float[] gain = new float[Lanes.padded(width)];
    if (weight == null) {
      Arrays.fill(gain, 0, width, 1f);
    } else {
      Floats.of(weight).read(0, gain, 0, width);
    }
    return gain;
  }
}
