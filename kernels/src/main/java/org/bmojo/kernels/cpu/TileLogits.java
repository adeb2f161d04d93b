package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.SPECIES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.TileProduct.WIDTH;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bmojo.kernels.cpu.TileProduct.Matrix;
import org.jspecify.annotations.Nullable;

/**
 * A tile of {@link TileProduct#WIDTH} consecutive queries of one head, one query to a lane, and its
 * logits against a block of keys. With queries in lanes, keys and values are read as they lie,
 * softmax needs no sum across lanes, and what hides a key from a query is a comparison.
 */
final class TileLogits {
  private static final FloatVector LANE = FloatVector.zero(SPECIES).addIndex(1);

  /** Which of the heads that share a key head. */
  final int head;

  final int dim;

  /** The queries times scale, (D, WIDTH). */
  final float[] near;

  /** The same as long-term memory sees them; empty where there is none. */
  final float[] far;

  /** Logits against a block, then weights: (KEYS, WIDTH). */
  final float[] scores;

  private final float[] row;

  /** The tile's first query, counted from the block's. */
  final int offset;

  /** Lanes in use. */
  int count;

  /** Rows of the key block that any lane sees, in whole tiles: {@link #see} sets them. */
  int from;

  int end;

  TileLogits(int head, int offset, int dim, boolean eidetic, float[] scores) {
    this.head = head;
    this.offset = offset;
    this.dim = dim;
    this.scores = scores;
    near = new float[dim * WIDTH];
    far = new float[eidetic ? dim * WIDTH : 0];
    row = new float[dim];
  }

  /** Takes {@code lanes} rows from {@code token} on, times {@code factor}, as columns. */
  void transpose(HeadRows rows, int token, int lanes, float factor, float[] columns) {
    if (lanes < WIDTH) Arrays.fill(columns, 0);
    for (int t = 0; t < lanes; t++) {
      rows.read(token + t, 1, row, dim);
      for (int d = 0; d < dim; d++) columns[d * WIDTH + t] = row[d] * factor;
    }
  }

  /** Takes the queries token + offset … , as many as there are up to {@code tokens}. */
  void begin(HeadRows q, @Nullable HeadRows farQ, int token, int tokens, float scale) {
    count = Math.clamp(tokens - token - (long) offset, 0, WIDTH);
    transpose(q, token + offset, count, scale, near);
    if (farQ != null) transpose(farQ, token + offset, count, scale, far);
  }

  /** Finds the rows of {@code block} that matter here; false if there are none. */
  boolean see(KeyBlock block) {
    int first = block.firstRow(offset), last = block.endRow(offset, count);
    from = first / TileProduct.ROWS * TileProduct.ROWS;
    end = TileProduct.paddedRows(last);
    return count > 0 && first < last;
  }

  /** Fills rows {@link #from} to {@link #end} of {@link #scores}, −∞ where a key is hidden. */
  void compute(KeyBlock block) {
    for (int r = from; r < end; r++) {
      int low = block.first + block.slide * r - offset;
      int high = r < block.count ? Math.min(low + block.span, count) : low;
      high = Math.min(high, block.end[r] - offset);
      hide(r, low, high);
    }
    TileProduct.add(
        Matrix.of(block.k, from * block.stride, block.stride),
        Matrix.of(block.eidetic ? far : near, 0, WIDTH),
        Matrix.of(scores, from * WIDTH, WIDTH),
        end - from,
        dim);
    if (block.eidetic) bias(block);
  }

  /** Row r before products are added: −∞ but for 0 in lanes low … high − 1. */
  private void hide(int r, int low, int high) {
    FloatVector left = all(0), right = left;
    if (low > 0 || high < WIDTH) {
      left = seen(left, low, high);
      right = seen(right, low - LANES, high - LANES);
    }
    left.intoArray(scores, r * WIDTH);
    right.intoArray(scores, r * WIDTH + LANES);
  }

  /** Comes after the products: a sum that starts far from 0 rounds worse. */
  private void bias(KeyBlock block) {
    for (int r = from; r < Math.min(end, block.count); r++) {
      FloatVector b = all(block.bias[head * KeyBlock.KEYS + r]);
      int at = r * WIDTH;
      load(scores, at).add(b).intoArray(scores, at);
      load(scores, at + LANES).add(b).intoArray(scores, at + LANES);
    }
  }

  private static FloatVector seen(FloatVector zero, int low, int high) {
    var inside = LANE.compare(VectorOperators.GE, low).and(LANE.compare(VectorOperators.LT, high));
    return all(Float.NEGATIVE_INFINITY).blend(zero, inside);
  }

  /** eˣ for x ≤ 0, exactly zero where it would be too small to count. */
  static FloatVector weight(FloatVector logit) {
    return VectorMath.exp(logit).blend(0f, logit.compare(VectorOperators.LT, -87f));
  }
}
