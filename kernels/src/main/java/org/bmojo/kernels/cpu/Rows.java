package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;

/** Sums along the rows of tensors (…, width). */
final class Rows {
  private Rows() {}

  /** How many rows {@code x} has. */
  static long count(Tensor x) {
    return x.numel() / Math.max(1, x.size(-1));
  }

  /** Rows of a task: about 16,000 elements, which a cache holds while they are read twice. */
  static long grain(long width) {
    return Math.max(1, (1 << 14) / Math.max(1, width));
  }

  /** 1 / sqrt(mean of squares + eps) of the row at {@code at}. */
  static float scale(Floats x, long at, int width, double eps, float[] lanes) {
    FloatVector even = all(0f), odd = all(0f); // two chains of additions in flight
    int i = 0;
    for (; i + 2 * LANES <= width; i += 2 * LANES) {
      FloatVector a = load(x, at + i), b = load(x, at + i + LANES);
      even = a.fma(a, even);
      odd = b.fma(b, odd);
    }
    for (; i < width; i += LANES) {
      FloatVector a = load(x, at + i, width - i);
      even = a.fma(a, even);
    }
    return (float) (1 / Math.sqrt(Lanes.sum(even.add(odd), lanes) / (double) width + eps));
  }
}
