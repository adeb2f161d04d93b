package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Four tokens of a head, which share a matrix: a later one's is the first one's, faded, and the
 * keys since,
 *
 * <pre>
 *   M_t = left_t·M_0 + Σ_{1≤s≤t} within_ts·k_s k_sᵀ
 * </pre>
 *
 * so that every element of M_0 is loaded once for four products. What the later keys add takes six
 * inner products of keys and as many rows, a tenth of what M_0 takes at D = 64.
 */
final class RidgeGroup {
  /** Tokens of a group. */
  static final int TOKENS = 4;

  final int dim, columns;
  final int stride; // floats from a row to the next, here and in the arrays handed in
  final double[] norm = new double[TOKENS]; // ‖M_t‖

  private final float[] m; // M_0, [row][column]
  private final float[] k; // [token][state]
  private final float[] left = new float[TOKENS];
  private final float[] within = new float[TOKENS * TOKENS]; // [token][earlier token]
  private final float[] overlap = new float[TOKENS * TOKENS];
  private final float[] scaled; // [token][state]
  private final float[] lanes;
  private final float[] sums;
  private double square; // ‖M‖² after the last token

  RidgeGroup(int dim) {
    this.dim = dim;
    columns = TileProduct.paddedColumns(dim);
    stride = columns + LANES;
    m = new float[dim * stride];
    k = new float[TOKENS * stride];
    scaled = new float[TOKENS * stride];
    lanes = new float[Math.max(Lanes.padded(dim), 2 * LANES) * LANES];
    sums = new float[Math.max(Lanes.padded(dim), 2 * LANES)];
  }

  /** Room for a vector of each token. */
  float[] rows() {
    return new float[TOKENS * stride];
  }

  /**
   * Begins with the state before the first group.
   *
   * @param state as {@link HeadLayout} lays it out
   * @param width from one of its rows to the next
   */
  void start(float[] state, int width) {
    for (int i = 0; i < dim; i++) System.arraycopy(state, i * width, m, i * stride, dim);
    Arrays.fill(k, 0);
    Arrays.fill(within, 0);
    left[TOKENS - 1] = 1;
    Arrays.fill(lanes, 0);
    for (int i = 0; i < dim; i++) {
      FloatVector sum = all(0f);
      for (int j = 0; j < columns; j += LANES) {
        FloatVector x = load(m, i * stride + j);
        sum = x.fma(x, sum);
      }
      sum.intoArray(lanes, i * LANES);
    }
    LaneSums.of(lanes, dim, sums);
    square = 0;
    for (int i = 0; i < dim; i++) square += sums[i];
  }

  /**
   * Goes on to the next tokens.
   *
   * @param keys {@code count} of them, {@code from} the first, {@code keyStride} floats apart
   * @param decay of each token, {@code first} the first
   */
  void next(float[] keys, int from, int keyStride, float[] decay, int first, int count) {
    System.arraycopy(keys, from, k, 0, dim); // the old first key is in M_0 already
    int last = (TOKENS - 1) * TOKENS;
    advance(
        left[TOKENS - 1] * decay[first],
        within[last + 1] * decay[first],
        within[last + 2] * decay[first],
        within[last + 3] * decay[first]);
    Arrays.fill(k, stride, TOKENS * stride, 0);
    for (int t = 1; t < count; t++) System.arraycopy(keys, from + t * keyStride, k, t * stride, dim);
    left[0] = 1;
    for (int t = 1; t < TOKENS; t++) {
      float kept = t < count ? decay[first + t] : 1;
      left[t] = left[t - 1] * kept;
      for (int s = 1; s < t; s++) within[t * TOKENS + s] = within[(t - 1) * TOKENS + s] * kept;
      within[t * TOKENS + t] = 1;
    }
    measure(decay, first, count);
  }

  /** M_0 = whole·M_0 + k_0 k_0ᵀ + Σ a_s·k_s k_sᵀ. */
  private void advance(float whole, float a1, float a2, float a3) {
    float[] m = this.m, k = this.k;
    int k1 = stride, k2 = 2 * stride, k3 = 3 * stride;
    for (int i = 0; i < dim; i++) {
      FloatVector b0 = all(k[i]), b1 = all(a1 * k[k1 + i]);
      FloatVector b2 = all(a2 * k[k2 + i]), b3 = all(a3 * k[k3 + i]);
      for (int j = 0; j < columns; j += LANES) {
        FloatVector row = load(m, i * stride + j).mul(whole);
        row = b0.fma(load(k, j), row);
        row = b1.fma(load(k, k1 + j), row);
        row = b2.fma(load(k, k2 + j), row);
        b3.fma(load(k, k3 + j), row).intoArray(m, i * stride + j);
      }
    }
  }

  /**
   * Norms, from how their squares grow, ‖M_t‖² = decay²·‖M_{t−1}‖² + 2·kᵀM_t k − (kᵀk)²: a sum of
   * what is positive.
   */
  private void measure(float[] decay, int first, int count) {
    float[] y = rows();
    addProducts(k, ONES, y);
    Arrays.fill(lanes, 0, 2 * LANES * LANES, 0);
    for (int t = 0; t < count; t++) {
      dot(k, t * stride, y, t * stride).intoArray(lanes, t * LANES);
      dot(k, t * stride, k, t * stride).intoArray(lanes, (TOKENS + t) * LANES);
    }
    LaneSums.of(lanes, 2 * TOKENS, sums);
    for (int t = 0; t < count; t++) {
      double kept = decay[first + t], own = sums[TOKENS + t];
      square = kept * kept * square + 2.0 * sums[t] - own * own;
      norm[t] = Math.sqrt(square);
    }
  }

  private static final float[] ONES = {1, 1, 1, 1};

  private FloatVector dot(float[] a, int i, float[] b, int j) {
    FloatVector sum = all(0f);
    for (int c = 0; c < columns; c += LANES) sum = load(a, i + c).fma(load(b, j + c), sum);
    return sum;
  }

  /** to_t += scale_t·M_t x_t. */
  void addProducts(float[] x, float[] scale, float[] to) {
    overlaps(x);
    float[] scaled = this.scaled, k = this.k, overlap = this.overlap;
    for (int t = 0; t < TOKENS; t++) {
      int row = t * stride;
      float faded = scale[t] * left[t];
      for (int j = 0; j < columns; j += LANES) {
        load(x, row + j).mul(faded).intoArray(scaled, row + j);
        if (t == 0) continue;
        FloatVector sum = load(to, row + j);
        for (int s = 1; s <= t; s++) {
          sum = load(k, s * stride + j).fma(all(scale[t] * overlap[t * TOKENS + s]), sum);
        }
        sum.intoArray(to, row + j);
      }
    }
    WideTile.add(scaled, stride, m, stride, to, stride, columns, dim);
  }

  /** overlap_ts = within_ts·⟨k_s, x_t⟩. */
  private void overlaps(float[] x) {
    float[] lanes = this.lanes, k = this.k;
    int pair = 0;
    for (int t = 1; t < TOKENS; t++) {
      for (int s = 1; s <= t; s++) {
        dot(k, s * stride, x, t * stride).intoArray(lanes, pair++ * LANES);
      }
    }
    LaneSums.of(lanes, pair, sums);
    pair = 0;
    for (int t = 1; t < TOKENS; t++) {
      for (int s = 1; s <= t; s++) {
        overlap[t * TOKENS + s] = within[t * TOKENS + s] * sums[pair++];
      }
    }
  }
}
