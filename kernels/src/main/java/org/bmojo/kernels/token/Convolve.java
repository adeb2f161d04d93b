package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.VectorMath;
import org.bmojo.kernels.torch.Floats;

/**
 * A step of the causal convolution: y = silu(bias + Σ_m tap_m · x_{t−K+1+m}), or x plus that.
 *
 * @param x (I)
 * @param taps (K, padded I), oldest first
 * @param bias (padded I)
 * @param state (1, K−1, I) the inputs before, oldest first; advanced
 * @param residual whether x is added
 */
public record Convolve(
    float[] x,
    int channels,
    int width,
    float[] taps,
    float[] bias,
    Place state,
    boolean residual,
    float[] y)
    implements Stage {
  private static final int BLOCK = Math.max(256, LANES);

  @Override
  public int parts() {
    return (channels + BLOCK - 1) / BLOCK;
  }

  @Override
  public void run(int part, Room room) {
    Floats past = state.floats();
    int end = Math.min(channels, (part + 1) * BLOCK), stride = taps.length / width;
    for (int i = part * BLOCK; i < end; i += LANES) {
      int rest = channels - i;
      FloatVector now = load(x, i), sum = load(bias, i);
      for (int m = 0; m < width - 1; m++) {
        FloatVector before = load(past, (long) m * channels + i, rest);
        sum = before.fma(load(taps, m * stride + i), sum);
        if (m > 0) store(before, past, (long) (m - 1) * channels + i, rest);
      }
      store(now, past, (long) (width - 2) * channels + i, rest);
      sum = now.fma(load(taps, (width - 1) * stride + i), sum);
      FloatVector out = sum.mul(VectorMath.sigmoid(sum));
      (residual ? now.add(out) : out).intoArray(y, i);
    }
  }
}
