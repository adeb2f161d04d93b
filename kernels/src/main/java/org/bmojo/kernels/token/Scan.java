package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.LaneSums;
import org.bmojo.kernels.cpu.VectorMath;
import org.bmojo.kernels.torch.Floats;

/**
 * A step of the selective scan: h = exp(Δ·a)·h + Δ·u·b, y = (Σ_n h·c + d·u)·silu(z), with Δ =
 * softplus(delta + bias). Lanes go across a channel's states, as they lie in memory.
 *
 * @param channels I
 * @param states N
 * @param delta (padded I) before its bias
 * @param rates (I, padded N), a·log₂e, zero in the padding
 * @param select whose elements from {@code rank} on are b (N) and c (N)
 * @param skip (padded I)
 * @param state (1, I, N), advanced
 */
public record Scan(
    int channels,
    int states,
    float[] u,
    float[] z,
    float[] delta,
    float[] deltaBias,
    float[] rates,
    float[] select,
    int rank,
    float[] skip,
    Place state,
    float[] y)
    implements Stage {
  private static final int BLOCK = Math.max(64, LANES);

  @Override
  public int parts() {
    return (channels + BLOCK - 1) / BLOCK;
  }

  @Override
  public void run(int part, Room room) {
    int padded = (states + LANES - 1) / LANES * LANES;
    int first = part * BLOCK, end = Math.min(channels, first + BLOCK);
    // [b | c] in whole vectors, steps, inputs, what is read, and unfinished sums
    float[] w = room.floats(2 * padded + 3 * BLOCK + BLOCK * LANES);
    int c = padded, step = 2 * padded, in = step + BLOCK, read = in + BLOCK, sums = read + BLOCK;
    Arrays.fill(w, 0, 2 * padded, 0);
    System.arraycopy(select, rank, w, 0, states);
    System.arraycopy(select, rank + states, w, c, states);
    for (int i = first; i < end; i += LANES) {
      FloatVector softplus = VectorMath.softplus(load(delta, i).add(load(deltaBias, i)));
      softplus.intoArray(w, step + i - first);
      softplus.mul(load(u, i)).intoArray(w, in + i - first);
    }
    if (states == LANES) {
      wholeRows(first, end, w, c, step, in, sums);
    } else {
      rows(first, end, w, c, step, in, sums);
    }
    LaneSums.of(w, sums, end - first, w, read);
    for (int i = first; i < end; i += LANES) {
      FloatVector gate = load(z, i), out = load(u, i).fma(load(skip, i), load(w, read + i - first));
      out.mul(gate.mul(VectorMath.sigmoid(gate))).intoArray(y, i);
    }
  }

  /** The recurrence where a channel's states are one vector, as they mostly are. */
  private void wholeRows(int first, int end, float[] w, int c, int step, int in, int sums) {
    Floats h = state.floats();
    FloatVector write = load(w, 0), read = load(w, c);
    for (int i = first; i < end; i++) {
      long at = (long) i * LANES;
      FloatVector decay = VectorMath.exp2(load(rates, i * LANES).mul(w[step + i - first]));
      FloatVector next = decay.fma(load(h, at), write.mul(w[in + i - first]));
      store(next, h, at);
      next.mul(read).intoArray(w, sums + (i - first) * LANES);
    }
  }

  private void rows(int first, int end, float[] w, int c, int step, int in, int sums) {
    Floats h = state.floats();
    int padded = (states + LANES - 1) / LANES * LANES;
    for (int i = first; i < end; i++) {
      float s = w[step + i - first], x = w[in + i - first];
      FloatVector sum = all(0f);
      for (int n = 0; n < states; n += LANES) {
        int rest = states - n;
        long at = (long) i * states + n;
        FloatVector decay = VectorMath.exp2(load(rates, i * padded + n).mul(s));
        FloatVector next = decay.fma(load(h, at, rest), load(w, n).mul(x));
        store(next, h, at, rest);
        sum = next.fma(load(w, c + n), sum);
      }
      sum.intoArray(w, sums + (i - first) * LANES);
    }
  }
}
