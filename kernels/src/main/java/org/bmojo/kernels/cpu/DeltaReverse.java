package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.DeltaRule.SQUARE;
import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.HeadPiece.ROWS;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Backward of {@link DeltaRule} around SSD's. From du, the gradient of what is written,
 *
 * <pre>
 *   w_t = du_t − Σ_{s&gt;t} overlap_st·z_s     z_t = β_t·w_t     dv_t = z_t     dβ_t = ⟨w_t, m_t⟩
 *   gradient of overlap_ts: −⟨z_t, u_s⟩     of Sᵀk_t: r_t = −left_t·z_t
 * </pre>
 *
 * and from these what is added to the gradients of keys, decays and the state.
 */
final class DeltaReverse {
  final float[] dBeta = new float[PIECE + LANES];

  private final DeltaRule rule;
  private final HeadPiece piece;
  private final HeadReverse reverse;
  private final float[] dRecalled; // r, [token][value]
  private final float[] dOverlap = new float[PIECE * SQUARE];
  private final float[] dLeft = new float[PIECE + LANES]; // ⟨r_t, Sᵀk_t⟩: of left_t's logarithm
  private final float[] betaLanes = new float[(PIECE + LANES) * LANES]; // [token][lane]
  private final float[] leftLanes = new float[(PIECE + LANES) * LANES];
  private final float[] keyLanes = new float[PIECE * ROWS * LANES]; // [token][row][lane]
  private final float[] sums = new float[PIECE * ROWS + LANES];

  DeltaReverse(DeltaRule rule, HeadReverse reverse) {
    this.rule = rule;
    this.reverse = reverse;
    piece = rule.piece;
    dRecalled = new float[piece.v.length];
  }

  /** All gradients of a piece, whose values turn into what was written. */
  void run(HeadInputs in, int task, int from, int count) {
    rule.correct(in, task, from, count);
    reverse.run(count);
    Arrays.fill(betaLanes, 0);
    Arrays.fill(leftLanes, 0);
    for (int j = 0; j < piece.width; j += LANES) solve(j, count);
    LaneSums.of(betaLanes, count, dBeta);
    LaneSums.of(leftLanes, count, dLeft);
    rule.products(reverse.dv, piece.v, piece.valueStride, count, dOverlap);
    decays(count);
    for (int i = 0; i < piece.keyStride - LANES; i += LANES) pairs(i, count);
    for (int n = 0; n < piece.layout.states(); n += ROWS) {
      Arrays.fill(keyLanes, 0);
      for (int j = 0; j < piece.width; j += LANES) recalled(n, j, count);
      addKeys(n, count);
    }
  }

  /** A vector of columns, from the last token to the first: du turns into dv. */
  private void solve(int j, int count) {
    float[] z = reverse.dv;
    for (int t = count - 1; t >= 0; t--) {
      int o = t * piece.valueStride + j, lane = t * LANES;
      FloatVector w = load(z, o);
      for (int s = t + 1; s < count; s++) {
        w = load(z, s * piece.valueStride + j).fma(all(-rule.overlap[s * SQUARE + t]), w);
      }
      w.fma(load(rule.missing, o), load(betaLanes, lane)).intoArray(betaLanes, lane);
      w = w.mul(rule.beta[t]);
      w.intoArray(z, o);
      FloatVector r = w.mul(-rule.left[t]);
      r.intoArray(dRecalled, o);
      r.fma(load(rule.recalled, o), load(leftLanes, lane)).intoArray(leftLanes, lane);
    }
  }

  /**
   * A decay is part of what is left of everything written before it at every token from it on. On
   * return dOverlap is the gradient of ⟨k_t, k_s⟩.
   */
  private void decays(int count) {
    for (int t = 0; t < count; t++) {
      float before = dLeft[t];
      for (int s = 0; s <= t; s++) {
        reverse.dg[s] += before;
        int at = t * SQUARE + s;
        if (s == t) break;
        before -= dOverlap[at] * rule.overlap[at];
        dOverlap[at] *= -rule.within[at];
      }
    }
  }

  /** Adds to dk, a vector of states, what comes through the products of keys. */
  private void pairs(int i, int count) {
    float[] k = piece.k, dk = reverse.dk;
    for (int t = 0; t < count; t++) {
      FloatVector sum = load(dk, t * piece.keyStride + i);
      for (int s = 0; s < count; s++) {
        if (s == t) continue;
        float pair = dOverlap[Math.max(s, t) * SQUARE + Math.min(s, t)];
        sum = load(k, s * piece.keyStride + i).fma(all(pair), sum);
      }
      sum.intoArray(dk, t * piece.keyStride + i);
    }
  }

  /** Through Sᵀk_t: dk_t += S r_t, still over lanes, and dS += k_t r_tᵀ. */
  private void recalled(int n, int j, int count) {
    float[] k = piece.k, state = piece.state, dState = reverse.dState, dk = keyLanes;
    int at = n * piece.width + j, width = piece.width;
    FloatVector a = load(state, at), b = load(state, at + width);
    FloatVector c = load(state, at + 2 * width), d = load(state, at + 3 * width);
    FloatVector da = load(dState, at), db = load(dState, at + width);
    FloatVector dc = load(dState, at + 2 * width), dd = load(dState, at + 3 * width);
    for (int t = 0; t < count; t++) {
      int i = t * piece.keyStride + n, s = t * ROWS * LANES;
      FloatVector r = load(dRecalled, t * piece.valueStride + j);
      da = r.fma(all(k[i]), da);
      db = r.fma(all(k[i + 1]), db);
      dc = r.fma(all(k[i + 2]), dc);
      dd = r.fma(all(k[i + 3]), dd);
      r.fma(a, load(dk, s)).intoArray(dk, s);
      r.fma(b, load(dk, s + LANES)).intoArray(dk, s + LANES);
      r.fma(c, load(dk, s + 2 * LANES)).intoArray(dk, s + 2 * LANES);
      r.fma(d, load(dk, s + 3 * LANES)).intoArray(dk, s + 3 * LANES);
    }
    da.intoArray(dState, at);
    db.intoArray(dState, at + width);
    dc.intoArray(dState, at + 2 * width);
    dd.intoArray(dState, at + 3 * width);
  }

  private void addKeys(int n, int count) {
    LaneSums.of(keyLanes, count * ROWS, sums);
    for (int t = 0; t < count; t++) {
      for (int r = 0; r < ROWS; r++) {
        reverse.dk[t * piece.keyStride + n + r] += sums[t * ROWS + r];
      }
    }
  }
}
