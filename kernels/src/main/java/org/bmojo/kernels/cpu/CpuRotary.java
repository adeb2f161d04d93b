package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.torch.Tensors.as;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.Rotary;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/** The turn, with lanes across the planes of a head. */
public final class CpuRotary implements Rotary {
  /** Elements of a task, roughly. */
  private static final long GRAIN = 1 << 14;

  @Override
  public Tensor forward(Tensor x, Tensor cos, Tensor sin) {
    return turn(x, cos, sin, 1);
  }

  @Override
  public Tensor backward(Tensor dy, Tensor cos, Tensor sin) {
    return turn(dy, cos, sin, -1);
  }

  private static Tensor turn(Tensor x, Tensor cos, Tensor sin, float direction) {
    try (Scope scope = new Scope()) {
      int tokens = (int) x.size(1), heads = (int) x.size(2), half = (int) x.size(3) / 2;
      boolean oneAngle = cos.size(0) == 1;
      Floats from = Floats.of(x), to = Floats.like(x), c = Floats.of(cos), s = Floats.of(sin);
      long width = Math.max(1, 2L * heads * half);
      Cores.forRanges(
          x.size(0) * tokens,
          Math.max(1, GRAIN / width),
          (first, end) -> {
            for (long row = first; row < end; row++) { // a token of a sequence
              long angles = oneAngle ? 0 : row % tokens * half;
              for (int head = 0; head < heads; head++) {
                turn(from, to, (row * heads + head) * 2 * half, c, s, angles, half, direction);
              }
            }
          });
      return scope.keep(as(to.owner(), x));
    }
  }

  private static void turn(
      Floats from, Floats to, long at, Floats cos, Floats sin, long angles, int half, float sign) {
    for (int i = 0; i < half; i += LANES) {
      int rest = half - i;
      FloatVector a = load(from, at + i, rest), b = load(from, at + half + i, rest);
      FloatVector c = load(cos, angles + i, rest), s = load(sin, angles + i, rest).mul(sign);
      store(a.mul(c).sub(b.mul(s)), to, at + i, rest);
      store(b.mul(c).add(a.mul(s)), to, at + half + i, rest);
    }
  }
}
