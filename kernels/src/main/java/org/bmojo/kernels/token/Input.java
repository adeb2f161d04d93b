package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.Lanes;
import org.bmojo.kernels.cpu.VectorMath;

/**
 * What a product reads, and what is done to it on the way: every thread that takes part does it for
 * itself, which costs less than waiting for one to do it for all. Arrays are as long as whole
 * vectors, zero beyond {@code width}. One object belongs to one stage of a program.
 */
public sealed interface Input {
  /** Writes it to {@code to}, in whole vectors. */
  void read(float[] to);

  /** As it is. */
  final class Plain implements Input {
    private final float[] x;
    private final int width;

    public Plain(float[] x, int width) {
      this.x = x;
      this.width = width;
    }

    @Override
    public void read(float[] to) {
      System.arraycopy(x, 0, to, 0, width);
    }
  }

  /** A part of the state, as the last token left it. */
  final class Held implements Input {
    private final Place from;
    private final int width;

    public Held(Place from, int width) {
      this.from = from;
      this.width = width;
    }

    @Override
    public void read(float[] to) {
      from.floats().read(0, to, 0, width);
    }
  }

  /** Divided by its root mean square, times a gain. */
  final class Normed implements Input {
    private final float[] x, gain;
    private final int width;
    private final double eps;

    public Normed(float[] x, float[] gain, int width, double eps) {
      this.x = x;
      this.gain = gain;
      this.width = width;
      this.eps = eps;
    }

    @Override
    public void read(float[] to) {
      float scale = scale(x, 0, width, eps);
      for (int i = 0; i < width; i += LANES) {
        load(x, i).mul(scale).mul(load(gain, i)).intoArray(to, i);
      }
    }
  }

  /** silu(gate) · up. */
  final class Gated implements Input {
    private final float[] gate, up;
    private final int width;

    public Gated(float[] gate, float[] up, int width) {
      this.gate = gate;
      this.up = up;
      this.width = width;
    }

    @Override
    public void read(float[] to) {
      for (int i = 0; i < width; i += LANES) {
        FloatVector g = load(gate, i);
        g.mul(VectorMath.sigmoid(g)).mul(load(up, i)).intoArray(to, i);
      }
    }
  }

  /** 1 / sqrt(mean of squares + eps) of {@code width} elements, zeros behind the last. */
  static float scale(float[] x, int at, int width, double eps) {
    FloatVector even = all(0f), odd = all(0f);
    int i = 0;
    for (; i + 2 * LANES <= width; i += 2 * LANES) {
      FloatVector a = load(x, at + i), b = load(x, at + i + LANES);
      even = a.fma(a, even);
      odd = b.fma(b, odd);
    }
    for (; i < width; i += LANES) {
      FloatVector a = load(x, at + i);
      if (width - i < LANES) a = all(0f).blend(a, Lanes.SPECIES.indexInRange(i, width));
      even = a.fma(a, even);
    }
    float sum = Lanes.sum(even.add(odd), new float[LANES]);
    return (float) (1 / Math.sqrt(sum / (double) width + eps));
  }
}
