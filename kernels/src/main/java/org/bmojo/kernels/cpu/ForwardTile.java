package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.TileProduct.WIDTH;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bmojo.kernels.cpu.TileProduct.Matrix;
import org.bmojo.kernels.torch.Floats;

/**
 * One tile's running softmax (Milakov and Gimelshein 2018; flash attention): keys come by in
 * blocks; the largest logit so far is subtracted, and when it grows, what was summed before
 * shrinks.
 */
final class ForwardTile {
  /** Below every logit, but finite, so that the difference of two is a number. */
  static final float NOTHING_SEEN = -1e30f;

  final TileLogits logits;
  private final float[] out; // (D padded, WIDTH), not yet divided by the sum
  private final float[] max = new float[WIDTH];
  private final float[] sum = new float[WIDTH];
  private final float[] row;

  ForwardTile(TileLogits logits) {
    this.logits = logits;
    row = new float[TileProduct.paddedRows(logits.dim)];
    out = new float[row.length * WIDTH];
    Arrays.fill(max, NOTHING_SEEN);
  }

  /** Takes one block in. */
  void attend(KeyBlock block) {
    if (!logits.see(block)) return;
    logits.compute(block);
    exponentiate(0);
    exponentiate(LANES);
    TileProduct.add(
        Matrix.transposed(block.v, logits.from * block.stride, block.stride),
        Matrix.of(logits.scores, logits.from * WIDTH, WIDTH),
        Matrix.of(out, 0, WIDTH),
        logits.dim,
        logits.end - logits.from);
  }

  /** Half of the lanes: logits become weights relative to the largest logit so far. */
  private void exponentiate(int lane) {
    float[] scores = logits.scores;
    int from = logits.from * WIDTH + lane, end = logits.end * WIDTH;
    FloatVector before = load(max, lane), top = before;
    for (int i = from; i < end; i += WIDTH) {
      FloatVector s = load(scores, i);
      top = top.blend(s, s.compare(VectorOperators.GT, top));
    }
    FloatVector total = all(0);
    for (int i = from; i < end; i += WIDTH) {
      FloatVector p = TileLogits.weight(load(scores, i).sub(top));
      p.intoArray(scores, i);
      total = total.add(p);
    }
    FloatVector shrink = TileLogits.weight(before.sub(top));
    load(sum, lane).fma(shrink, total).intoArray(sum, lane);
    if (top.compare(VectorOperators.NE, before).anyTrue()) {
      top.intoArray(max, lane);
      for (int i = lane; i < out.length; i += WIDTH) {
        load(out, i).mul(shrink).intoArray(out, i);
      }
    }
  }

  /**
   * Writes the rows of the tile's queries.
   *
   * @param first the tile's first token
   * @param logSumExp that of the first query at {@code at} and the next {@code step} later
   */
  void store(HeadRows to, int first, Floats logSumExp, long at, long step) {
    for (int t = 0; t < logits.count; t++) {
      float inverse = 1 / sum[t];
      for (int d = 0; d < row.length; d++) row[d] = out[d * WIDTH + t] * inverse;
      to.memory().write(to.at() + (first + t) * to.step(), row, 0, to.dim());
      logSumExp.set(at + t * step, (float) (max[t] + Math.log(sum[t])));
    }
  }
}
