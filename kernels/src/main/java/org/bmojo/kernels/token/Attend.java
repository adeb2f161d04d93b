package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.LaneSums;
import org.bmojo.kernels.cpu.Lanes;
import org.bmojo.kernels.cpu.VectorMath;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/**
 * A step of {@link MemoryAttention}: a part is a query head. It turns its query and key to their
 * position, takes its own key and value from there, all others from where the state keeps them; the
 * first of the heads that share a key writes it into the ring.
 */
public final class Attend implements Stage {
  private static final int KEYS = 64; // of a block, whose logits are made before it is summed up

  /**
   * Keys and values.
   *
   * @param newK (G·D) the token's, not turned yet
   * @param newV (G·D)
   * @param k ring (1, capacity, G, D) and {@code v} likewise
   */
  public record Stream(float[] newK, float[] newV, Place k, Place v) {}

  /**
   * Long-term memory.
   *
   * @param k (1, E, G, D) and {@code v} likewise
   * @param bias (1, H, E)
   * @param turn how far queries are turned for it; null for not at all
   */
  public record Far(Place k, Place v, Place bias, @Nullable Angles turn, float factor) {}

  /** Cosines and sines (D/2) of one position. */
  public record Angles(float[] cos, float[] sin) {}

  /** A norm of each head: gain (D). */
  public record HeadNorm(float[] gain, double eps) {}

  private final MemoryAttention.Geometry geometry;
  private final int heads, shared, dim, stride; // stride: D in whole vectors
  private final int width; // G·D
  private final Moment moment;
  private final float[] q, out;
  private final Stream window;
  private final @Nullable Stream fading;
  private final @Nullable Far far;
  private final @Nullable Angles turn;
  private final @Nullable HeadNorm qNorm, kNorm;

  /**
   * @param q (H·D)
   * @param out (H·D)
   * @param turn of the token's position, refilled for every token; null where there are none
   */
  public Attend(
      MemoryAttention.Geometry geometry,
      int heads,
      int groups,
      int dim,
      Moment moment,
      float[] q,
      Stream window,
      @Nullable Stream fading,
      @Nullable Far far,
      @Nullable Angles turn,
      @Nullable HeadNorm qNorm,
      @Nullable HeadNorm kNorm,
      float[] out) {
    this.geometry = geometry;
    this.heads = heads;
    this.dim = dim;
    this.moment = moment;
    this.q = q;
    this.window = window;
    this.fading = fading;
    this.far = far;
    this.turn = turn;
    this.qNorm = qNorm;
    this.kNorm = kNorm;
    this.out = out;
    shared = heads / groups;
    stride = Lanes.padded(dim);
    width = groups * dim;
  }

  @Override
  public int parts() {
    return heads;
  }

  @Override
  public void run(int head, Room room) {
    int group = head / shared;
    boolean writes = head % shared == 0;
    // [query | raw query | key | sum of values | logits | unfinished sums]
    float[] w = room.floats(4 * stride + KEYS + KEYS * LANES);
    int raw = stride, key = 2 * stride, sum = 3 * stride, logits = 4 * stride;
    int products = logits + KEYS;
    Arrays.fill(w, 0, 4 * stride, 0);
    take(q, head * dim, w, raw, qNorm);
    turn(w, raw, w, 0, turn);
    scale(w, 0, (float) geometry.scale());
    long position = moment.position, left = position - geometry.window();
    if (writes && fading != null) {
      take(fading.newK, group * dim, w, sum, kNorm);
      turn(w, sum, w, key, turn);
      write(fading, w, key, group, position);
    }
    take(window.newK, group * dim, w, sum, kNorm);
    turn(w, sum, w, key, turn);
    if (writes) write(window, w, key, group, position);
    // The token's own key comes first: its logit is the first maximum, its weight 1.
    FloatVector own = all(0f);
    for (int d = 0; d < stride; d += LANES) own = load(w, d).fma(load(w, key + d), own);
    own.intoArray(w, products);
    LaneSums.of(w, products, 1, w, logits);
    Softmax softmax = new Softmax(w[logits]);
    System.arraycopy(window.newV, group * dim, w, sum, dim);

    ring(window, w, group, Math.max(0, left + 1), position, softmax);
    if (fading != null) {
      ring(fading, w, group, Math.max(0, left - geometry.fading() + 1), left + 1, softmax);
    }
    if (far != null) {
      turn(w, raw, w, 0, far.turn);
      scale(w, 0, (float) geometry.scale() * far.factor);
      int rows = far.k.size(1);
      for (int r = 0; r < rows; r += KEYS) {
        int count = Math.min(KEYS, rows - r);
        logits(far.k.floats(), group, r, count, w);
        Floats bias = far.bias.floats();
        for (int i = 0; i < count; i++) w[logits + i] += bias.get((long) head * rows + r + i);
        add(far.v.floats(), group, r, count, w, softmax);
      }
    }
    float share = 1 / softmax.sum;
    for (int d = 0; d < dim; d++) out[head * dim + d] = w[sum + d] * share;
  }

  /** The largest logit so far, and the sum of all weights relative to it. */
  private static final class Softmax {
    private float max;
    private float sum = 1;

    Softmax(float first) {
      max = first;
    }
  }

  /** A head's row, normalised if need be. */
  private void take(float[] from, int at, float[] to, int place, @Nullable HeadNorm norm) {
    System.arraycopy(from, at, to, place, dim);
    if (norm == null) return;
    float scale = Input.scale(to, place, dim, norm.eps);
    for (int d = 0; d < dim; d++) to[place + d] *= scale * norm.gain[d];
  }

  private void turn(float[] from, int at, float[] to, int place, @Nullable Angles by) {
    if (by == null) {
      System.arraycopy(from, at, to, place, dim);
      return;
    }
    int half = dim / 2;
    for (int i = 0; i < half; i++) {
      float a = from[at + i], b = from[at + half + i], c = by.cos[i], s = by.sin[i];
      to[place + i] = a * c - b * s;
      to[place + half + i] = b * c + a * s;
    }
  }

  private void scale(float[] x, int at, float factor) {
    for (int d = 0; d < dim; d++) x[at + d] *= factor;
  }

  private void write(Stream s, float[] w, int key, int group, long position) {
    s.k.floats().write(position % s.k.size(1) * width + (long) group * dim, w, key, dim);
    long at = position % s.v.size(1) * width + (long) group * dim;
    s.v.floats().write(at, s.newV, group * dim, dim);
  }

  /** Attends to positions from … end−1, in runs that a ring holds side by side. */
  private void ring(Stream s, float[] w, int group, long from, long end, Softmax softmax) {
    int capacity = s.k.size(1);
    for (long p = from; p < end; ) {
      int row = (int) (p % capacity);
      int count = (int) Math.min(Math.min(end - p, capacity - row), KEYS);
      logits(s.k.floats(), group, row, count, w);
      add(s.v.floats(), group, row, count, w, softmax);
      p += count;
    }
  }

  /** The query's products with {@code count} keys. */
  private void logits(Floats k, int group, int row, int count, float[] w) {
    int products = 4 * stride + KEYS;
    long at = (long) row * width + (long) group * dim;
    if (dim == 4 * LANES) {
      // Most models' heads are 64 wide: with four vectors the query stays in registers.
      FloatVector a = load(w, 0), b = load(w, LANES);
      FloatVector c = load(w, 2 * LANES), d = load(w, 3 * LANES);
      for (int r = 0; r < count; r++, at += width) {
        FloatVector even = a.mul(load(k, at)), odd = b.mul(load(k, at + LANES));
        even = c.fma(load(k, at + 2 * LANES), even);
        odd = d.fma(load(k, at + 3 * LANES), odd);
        even.add(odd).intoArray(w, products + r * LANES);
      }
    } else {
      for (int r = 0; r < count; r++, at += width) {
        FloatVector s = all(0f);
        for (int d = 0; d < dim; d += LANES) s = load(w, d).fma(load(k, at + d, dim - d), s);
        s.intoArray(w, products + r * LANES);
      }
    }
    LaneSums.of(w, products, count, w, 4 * stride);
  }

  /** Adds values by their weights. */
  private void add(Floats v, int group, int row, int count, float[] w, Softmax softmax) {
    int logits = 4 * stride, sum = 3 * stride;
    float top = softmax.max;
    for (int r = 0; r < count; r++) top = Math.max(top, w[logits + r]);
    if (top > softmax.max) {
      float shrink = (float) Math.exp(softmax.max - top);
      softmax.max = top;
      softmax.sum *= shrink;
      scale(w, sum, shrink);
    }
    for (int r = count; r < Lanes.padded(count); r++) w[logits + r] = Float.NEGATIVE_INFINITY;
    FloatVector total = all(0f);
    for (int r = 0; r < count; r += LANES) {
      FloatVector x = load(w, logits + r).sub(top);
      // exp stops at e⁻⁸⁷; what is hidden must weigh nothing at all.
      FloatVector weight = VectorMath.exp(x).blend(all(0f), x.lt(-87f));
      weight.intoArray(w, logits + r);
      total = total.add(weight);
    }
    softmax.sum += Lanes.sum(total, new float[LANES]);
    sum(v, (long) row * width + (long) group * dim, count, w);
  }

  /** The values' sum by the weights that stand in place of the logits. */
  private void sum(Floats v, long at, int count, float[] w) {
    int logits = 4 * stride, sum = 3 * stride;
    if (dim == 4 * LANES) {
      FloatVector a = load(w, sum), b = load(w, sum + LANES);
      FloatVector c = load(w, sum + 2 * LANES), d = load(w, sum + 3 * LANES);
      for (int r = 0; r < count; r++, at += width) {
        FloatVector weight = all(w[logits + r]);
        a = load(v, at).fma(weight, a);
        b = load(v, at + LANES).fma(weight, b);
        c = load(v, at + 2 * LANES).fma(weight, c);
        d = load(v, at + 3 * LANES).fma(weight, d);
      }
      a.intoArray(w, sum);
      b.intoArray(w, sum + LANES);
      c.intoArray(w, sum + 2 * LANES);
      d.intoArray(w, sum + 3 * LANES);
      return;
    }
    for (int d = 0; d < dim; d += LANES) {
      FloatVector o = load(w, sum + d);
      for (int r = 0; r < count; r++) {
        o = load(v, at + (long) r * width + d, dim - d).fma(all(w[logits + r]), o);
      }
      o.intoArray(w, sum + d);
    }
  }
}
