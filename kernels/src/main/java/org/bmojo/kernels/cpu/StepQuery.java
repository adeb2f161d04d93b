package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/** One head's query of one token and its running softmax; lanes are the head's dimensions. */
final class StepQuery {
  private final int dim;
  private final int stride; // D and padding, zero in the padding
  private final float[] q, out;
  private final float[] products = new float[KeyBlock.KEYS * LANES];
  private final float[] weights = new float[KeyBlock.KEYS];
  private float max = ForwardTile.NOTHING_SEEN;
  private float sum;

  StepQuery(int dim, int stride) {
    this.dim = dim;
    this.stride = stride;
    q = new float[stride];
    out = new float[stride];
  }

  /** Reads the query that is asked from now on. */
  void ask(Floats from, long at, float scale) {
    from.read(at, q, 0, dim);
    for (int d = 0; d < dim; d++) q[d] *= scale;
  }

  /**
   * Takes one block in.
   *
   * @param bias of the block's keys, from {@code at} on, or null
   */
  void attend(KeyBlock block, @Nullable Floats bias, long at) {
    for (int r = 0; r < block.count; r++) {
      multiply(block.k, r * stride).intoArray(products, r * LANES);
    }
    LaneSums.of(products, block.count, weights);
    float top = max;
    for (int r = 0; r < block.count; r++) {
      if (bias != null) weights[r] += bias.get(at + r);
      top = Math.max(top, weights[r]);
    }
    rescale(top);
    exponentiate(block.count);
    for (int d = 0; d < stride; d += LANES) {
      FloatVector o = load(out, d);
      for (int r = 0; r < block.count; r++) {
        o = all(weights[r]).fma(load(block.v, r * stride + d), o);
      }
      o.intoArray(out, d);
    }
  }

  /** The products of the query and a key, still to be summed over the lanes. */
  private FloatVector multiply(float[] k, int at) {
    FloatVector s = load(q, 0).mul(load(k, at));
    for (int d = LANES; d < stride; d += LANES) s = load(q, d).fma(load(k, at + d), s);
    return s;
  }

  /** Makes {@code top} the largest logit so far. */
  private void rescale(float top) {
    if (top == max) return;
    float shrink = (float) Math.exp(max - top);
    max = top;
    sum *= shrink;
    for (int d = 0; d < stride; d++) out[d] *= shrink;
  }

  private void exponentiate(int count) {
    for (int r = count; r < Lanes.padded(count); r++) weights[r] = Float.NEGATIVE_INFINITY;
    for (int r = 0; r < count; r += LANES) {
      TileLogits.weight(load(weights, r).sub(max)).intoArray(weights, r);
    }
    for (int r = 0; r < count; r++) sum += weights[r];
  }

  /** Writes the row. */
  void store(Floats to, long at) {
    for (int d = 0; d < dim; d++) out[d] /= sum;
    to.write(at, out, 0, dim);
  }
}
