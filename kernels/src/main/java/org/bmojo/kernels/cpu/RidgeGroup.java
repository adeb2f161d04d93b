package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Four tokens of a piece, which share a matrix: a later one's is the first one's, faded, and the
 * keys since,
 *
 * <pre>
 *   M_t = left_t·M_0 + Σ_{1≤s≤t} within_ts·k_s k_sᵀ
 * </pre>
 *
 * so that every element of M_0 is loaded once for four products. What the later keys add takes six
 * inner products and as many multiples of keys.
 *
 * <p>Loops are written out, a method each: what C2 does not inline, it boxes.
 */
final class RidgeGroup {
  /** Tokens of a group. */
  static final int TOKENS = 4;

  private static final float[] ONES = {1, 1, 1, 1};

  final double[] norm = new double[TOKENS]; // ‖M_t‖

  private final RidgePiece piece;
  private final int columns, stride;
  private final float[] m; // M_0: the piece's own matrix, which goes along
  private final float[] k; // [token][state]
  private final float[] left = new float[TOKENS];
  private final float[] within = new float[TOKENS * TOKENS]; // [token][earlier token]
  private final float[] overlap = new float[TOKENS * TOKENS];
  private final float[] scaled, product; // [token][state]
  private final float[] lanes = new float[2 * LANES * LANES];
  private final float[] sums = new float[2 * LANES];
  private double square; // ‖M‖² after the last token

  /** Before the piece's first group, its matrix being that before it. */
  RidgeGroup(RidgePiece piece) {
    this.piece = piece;
    columns = piece.columns;
    stride = piece.stride;
    m = piece.matrix;
    k = piece.rows(TOKENS);
    scaled = piece.rows(TOKENS);
    product = piece.rows(TOKENS);
    left[TOKENS - 1] = 1;
    for (int i = 0; i < piece.dim; i++) square += rowSquare(i * stride);
  }

  private double rowSquare(int at) {
    FloatVector sum = all(0f);
    for (int j = 0; j < columns; j += LANES) {
      FloatVector x = load(m, at + j);
      sum = x.fma(x, sum);
    }
    return Lanes.sum(sum, lanes);
  }

  /** Goes on to the piece's tokens {@code from} … {@code from + count − 1}, four or its last. */
  void next(int from, int count) {
    float[] decay = piece.decay;
    System.arraycopy(piece.k, from * stride, k, 0, stride); // the one before is in M_0 already
    int last = (TOKENS - 1) * TOKENS;
    float kept = decay[from];
    advance(
        left[TOKENS - 1] * kept,
        within[last + 1] * kept,
        within[last + 2] * kept,
        within[last + 3] * kept);
    Arrays.fill(k, stride, k.length, 0);
    System.arraycopy(piece.k, (from + 1) * stride, k, stride, (count - 1) * stride);
    left[0] = 1;
    for (int t = 1; t < TOKENS; t++) {
      kept = t < count ? decay[from + t] : 1;
      left[t] = left[t - 1] * kept;
      for (int s = 1; s < t; s++) within[t * TOKENS + s] = within[(t - 1) * TOKENS + s] * kept;
      within[t * TOKENS + t] = 1;
    }
    measure(from, count);
  }

  /** M_0 = whole·M_0 + k_0 k_0ᵀ + Σ a_s·k_s k_sᵀ. */
  private void advance(float whole, float a1, float a2, float a3) {
    float[] m = this.m, k = this.k;
    int k1 = stride, k2 = 2 * stride, k3 = 3 * stride;
    for (int i = 0; i < piece.dim; i++) {
      FloatVector b0 = all(k[i]), b1 = all(a1 * k[k1 + i]);
      FloatVector b2 = all(a2 * k[k2 + i]), b3 = all(a3 * k[k3 + i]);
      int at = i * stride;
      for (int j = 0; j < columns; j += LANES) {
        FloatVector row = load(m, at + j).mul(whole);
        row = b0.fma(load(k, j), row);
        row = b1.fma(load(k, k1 + j), row);
        row = b2.fma(load(k, k2 + j), row);
        b3.fma(load(k, k3 + j), row).intoArray(m, at + j);
      }
    }
  }

  /**
   * Norms, from how their squares grow: ‖M_t‖² = decay²·‖M_{t−1}‖² + 2·kᵀM_t k − (kᵀk)², the latter
   * two of which are a sum of squares.
   */
  private void measure(int from, int count) {
    Arrays.fill(product, 0);
    addProducts(k, ONES, product);
    dots(k, product, 0);
    dots(k, k, TOKENS);
    LaneSums.of(lanes, 2 * TOKENS, sums);
    for (int t = 0; t < count; t++) {
      double kept = piece.decay[from + t], own = sums[TOKENS + t];
      square = kept * kept * square + 2.0 * sums[t] - own * own;
      norm[t] = Math.sqrt(square);
    }
  }

  /** ⟨a_t, b_t⟩ of every token, still over lanes. */
  private void dots(float[] a, float[] b, int to) {
    for (int t = 0; t < TOKENS; t++) {
      FloatVector sum = all(0f);
      for (int j = t * stride; j < t * stride + columns; j += LANES) {
        sum = load(a, j).fma(load(b, j), sum);
      }
      sum.intoArray(lanes, (to + t) * LANES);
    }
  }

  /** to_t += scale_t·M_t x_t. */
  void addProducts(float[] x, float[] scale, float[] to) {
    pairs(x);
    LaneSums.of(lanes, 6, sums);
    for (int t = 1, pair = 0; t < TOKENS; t++) {
      for (int s = 1; s <= t; s++, pair++) {
        overlap[t * TOKENS + s] = scale[t] * within[t * TOKENS + s] * sums[pair];
      }
    }
    addKeys(to);
    for (int t = 0; t < TOKENS; t++) fade(x, t * stride, scale[t] * left[t]);
    piece.addProduct(scaled, m, to);
  }

  /** ⟨k_s, x_t⟩ for 1 ≤ s ≤ t, still over lanes. */
  private void pairs(float[] x) {
    float[] k = this.k, lanes = this.lanes;
    FloatVector a = all(0f), b = a, c = a, d = a, e = a, f = a;
    for (int j = stride; j < stride + columns; j += LANES) {
      FloatVector k1 = load(k, j), k2 = load(k, j + stride), k3 = load(k, j + 2 * stride);
      FloatVector x1 = load(x, j), x2 = load(x, j + stride), x3 = load(x, j + 2 * stride);
      a = k1.fma(x1, a);
      b = k1.fma(x2, b);
      c = k2.fma(x2, c);
      d = k1.fma(x3, d);
      e = k2.fma(x3, e);
      f = k3.fma(x3, f);
    }
    a.intoArray(lanes, 0);
    b.intoArray(lanes, LANES);
    c.intoArray(lanes, 2 * LANES);
    d.intoArray(lanes, 3 * LANES);
    e.intoArray(lanes, 4 * LANES);
    f.intoArray(lanes, 5 * LANES);
  }

  /** to_t += Σ overlap_ts·k_s. */
  private void addKeys(float[] to) {
    float[] k = this.k;
    FloatVector a = all(overlap[5]), b = all(overlap[9]), c = all(overlap[10]);
    FloatVector d = all(overlap[13]), e = all(overlap[14]), f = all(overlap[15]);
    for (int j = stride; j < stride + columns; j += LANES) {
      int second = j + stride, third = second + stride;
      FloatVector k1 = load(k, j), k2 = load(k, second), k3 = load(k, third);
      a.fma(k1, load(to, j)).intoArray(to, j);
      b.fma(k1, c.fma(k2, load(to, second))).intoArray(to, second);
      d.fma(k1, e.fma(k2, f.fma(k3, load(to, third)))).intoArray(to, third);
    }
  }

  private void fade(float[] x, int at, float factor) {
    for (int j = at; j < at + columns; j += LANES) load(x, j).mul(factor).intoArray(scaled, j);
  }
}
