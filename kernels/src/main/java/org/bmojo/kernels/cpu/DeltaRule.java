package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.HeadPiece.ROWS;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * What the tokens of a piece write under the delta rule, after which the piece is SSD's with that
 * for values. Of the state S before the piece and of what is left of it, or of an earlier token's
 * writing, at a token's turn,
 *
 * <pre>
 *   m_t = v_t − left_t·Sᵀk_t − Σ_{s&lt;t} overlap_ts·u_s     what token t finds missing
 *   u_t = β_t·m_t                                        what it writes
 *   overlap_ts = within_ts·⟨k_t, k_s⟩
 * </pre>
 *
 * Decays over several tokens are products, never differences of sums of logarithms.
 */
final class DeltaRule {
  /** Floats from a token's row of a (piece, piece) matrix to the next. */
  static final int SQUARE = Math.max(PIECE, LANES);

  final HeadPiece piece;
  final float[] beta = new float[PIECE];
  final float[] left = new float[PIECE]; // of the state before the piece
  final float[] within = new float[PIECE * SQUARE]; // [token][earlier token]
  final float[] overlap = new float[PIECE * SQUARE];
  final float[] recalled; // Sᵀk_t, [token][value]
  final float[] missing; // m_t, [token][value]

  private final float[] lanes = new float[SQUARE * LANES];

  DeltaRule(HeadPiece piece) {
    this.piece = piece;
    recalled = new float[piece.v.length];
    missing = new float[piece.v.length];
  }

  /** Puts what is written in the place of the piece's values. */
  void correct(HeadInputs in, int task, int from, int count) {
    for (int t = 0; t < count; t++) {
      beta[t] = in.strength(task, from + t);
      left[t] = t == 0 ? piece.decay[0] : left[t - 1] * piece.decay[t];
      for (int s = 0; s < t; s++) {
        float before = s == t - 1 ? 1 : within[(t - 1) * SQUARE + s];
        within[t * SQUARE + s] = before * piece.decay[t];
      }
    }
    products(piece.k, piece.k, piece.keyStride, count, overlap);
    for (int t = 0; t < count; t++) {
      for (int s = 0; s < t; s++) overlap[t * SQUARE + s] *= within[t * SQUARE + s];
    }
    recall(count);
    for (int j = 0; j < piece.width; j += LANES) solve(j, count);
  }

  /** ⟨a_t, b_s⟩ of all pairs with s &lt; t. */
  void products(float[] a, float[] b, int stride, int count, float[] to) {
    for (int t = 1; t < count; t++) {
      for (int s = 0; s < t; s++) {
        FloatVector sum = all(0f);
        for (int i = 0; i < stride - LANES; i += LANES) {
          sum = load(a, t * stride + i).fma(load(b, s * stride + i), sum);
        }
        sum.intoArray(lanes, s * LANES);
      }
      LaneSums.of(lanes, 0, t, to, t * SQUARE);
    }
  }

  private void recall(int count) {
    Arrays.fill(recalled, 0);
    for (int n = 0; n < piece.layout.states(); n += ROWS) {
      for (int j = 0; j < piece.width; j += LANES) recall(n, j, count);
    }
  }

  private void recall(int n, int j, int count) {
    float[] k = piece.k, state = piece.state, recalled = this.recalled;
    int at = n * piece.width + j, width = piece.width;
    FloatVector a = load(state, at), b = load(state, at + width);
    FloatVector c = load(state, at + 2 * width), d = load(state, at + 3 * width);
    for (int t = 0; t < count; t++) {
      int i = t * piece.keyStride + n, o = t * piece.valueStride + j;
      FloatVector sum = a.fma(all(k[i]), load(recalled, o));
      sum = b.fma(all(k[i + 1]), sum);
      sum = c.fma(all(k[i + 2]), sum);
      d.fma(all(k[i + 3]), sum).intoArray(recalled, o);
    }
  }

  /** A vector of columns, token after token. */
  private void solve(int j, int count) {
    float[] u = piece.v;
    for (int t = 0; t < count; t++) {
      int o = t * piece.valueStride + j;
      FloatVector m = load(recalled, o).fma(all(-left[t]), load(u, o));
      for (int s = 0; s < t; s++) {
        m = load(u, s * piece.valueStride + j).fma(all(-overlap[t * SQUARE + s]), m);
      }
      m.intoArray(missing, o);
      m.mul(beta[t]).intoArray(u, o);
    }
  }
}
