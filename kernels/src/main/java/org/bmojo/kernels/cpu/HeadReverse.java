package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.HeadPiece.ROWS;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * A piece walked backwards. With D_t the gradient of S_t from everything that reads it,
 *
 * <pre>
 *   D_t = q_t dy_tᵀ + decay_{t+1}·D_{t+1}
 *   dq_t = S_t dy_t     dk_t = D_t v_t     dv_t = D_tᵀ k_t     dg_t = decay_t·⟨D_t, S_{t−1}⟩
 * </pre>
 *
 * Four rows, a vector wide, are taken forward again through the piece, which gives dq and leaves
 * their states in the nearest cache, and back for the rest. Sums over columns are vectors until all
 * columns are through.
 */
final class HeadReverse {
  final float[] dy, dv; // [token][value]
  final float[] dq, dk; // [token][state]
  final float[] dg = new float[PIECE + LANES];
  final float[] dState; // D after the piece turns into that of the state before it

  private final HeadPiece piece;
  private final float[] trail = new float[PIECE * ROWS * LANES]; // S before the token
  private final float[] dqLanes = new float[PIECE * ROWS * LANES]; // [token][row][lane]
  private final float[] dkLanes = new float[PIECE * ROWS * LANES];
  private final float[] dgLanes = new float[(PIECE + LANES) * LANES]; // [token][lane]
  private final float[] sums = new float[PIECE * ROWS + LANES];

  HeadReverse(HeadPiece piece) {
    this.piece = piece;
    dy = new float[piece.v.length];
    dv = new float[piece.v.length];
    dq = new float[piece.q.length];
    dk = new float[piece.q.length];
    dState = new float[piece.state.length];
  }

  /** All gradients of a piece; its state is the one before it and stays so. */
  void run(int count) {
    Arrays.fill(dv, 0);
    Arrays.fill(dgLanes, 0);
    for (int n = 0; n < piece.layout.states(); n += ROWS) {
      Arrays.fill(dqLanes, 0);
      Arrays.fill(dkLanes, 0);
      for (int j = 0; j < piece.width; j += LANES) {
        forward(n, j, count);
        back(n, j, count);
      }
      sumLanes(dqLanes, count, dq, n);
      sumLanes(dkLanes, count, dk, n);
    }
    LaneSums.of(dgLanes, count, dg);
  }

  private void forward(int n, int j, int count) {
    float[] k = piece.k, v = piece.v, dq = dqLanes, state = piece.state, trail = this.trail;
    int at = n * piece.width + j, width = piece.width;
    FloatVector a = load(state, at), b = load(state, at + width);
    FloatVector c = load(state, at + 2 * width), d = load(state, at + 3 * width);
    for (int t = 0; t < count; t++) {
      int i = t * piece.keyStride + n, o = t * piece.valueStride + j, s = t * ROWS * LANES;
      a.intoArray(trail, s);
      b.intoArray(trail, s + LANES);
      c.intoArray(trail, s + 2 * LANES);
      d.intoArray(trail, s + 3 * LANES);
      FloatVector left = all(piece.decay[t]), x = load(v, o), dOut = load(dy, o);
      a = a.fma(left, x.mul(k[i]));
      b = b.fma(left, x.mul(k[i + 1]));
      c = c.fma(left, x.mul(k[i + 2]));
      d = d.fma(left, x.mul(k[i + 3]));
      a.fma(dOut, load(dq, s)).intoArray(dq, s);
      b.fma(dOut, load(dq, s + LANES)).intoArray(dq, s + LANES);
      c.fma(dOut, load(dq, s + 2 * LANES)).intoArray(dq, s + 2 * LANES);
      d.fma(dOut, load(dq, s + 3 * LANES)).intoArray(dq, s + 3 * LANES);
    }
  }

  private void back(int n, int j, int count) {
    float[] q = piece.q, k = piece.k, v = piece.v, trail = this.trail;
    float[] dk = dkLanes, dg = dgLanes;
    int at = n * piece.width + j, width = piece.width;
    FloatVector a = load(dState, at), b = load(dState, at + width);
    FloatVector c = load(dState, at + 2 * width), d = load(dState, at + 3 * width);
    for (int t = count - 1; t >= 0; t--) {
      int i = t * piece.keyStride + n, o = t * piece.valueStride + j, s = t * ROWS * LANES;
      FloatVector dOut = load(dy, o), x = load(v, o), left = all(piece.decay[t]);
      a = dOut.fma(all(q[i]), a);
      b = dOut.fma(all(q[i + 1]), b);
      c = dOut.fma(all(q[i + 2]), c);
      d = dOut.fma(all(q[i + 3]), d);
      x.fma(a, load(dk, s)).intoArray(dk, s);
      x.fma(b, load(dk, s + LANES)).intoArray(dk, s + LANES);
      x.fma(c, load(dk, s + 2 * LANES)).intoArray(dk, s + 2 * LANES);
      x.fma(d, load(dk, s + 3 * LANES)).intoArray(dk, s + 3 * LANES);
      FloatVector into = a.fma(all(k[i]), load(dv, o));
      into = b.fma(all(k[i + 1]), into);
      into = c.fma(all(k[i + 2]), into);
      d.fma(all(k[i + 3]), into).intoArray(dv, o);
      a = a.mul(left);
      b = b.mul(left);
      c = c.mul(left);
      d = d.mul(left);
      FloatVector faded = a.fma(load(trail, s), load(dg, t * LANES));
      faded = b.fma(load(trail, s + LANES), faded);
      faded = c.fma(load(trail, s + 2 * LANES), faded);
      d.fma(load(trail, s + 3 * LANES), faded).intoArray(dg, t * LANES);
    }
    a.intoArray(dState, at);
    b.intoArray(dState, at + width);
    c.intoArray(dState, at + 2 * width);
    d.intoArray(dState, at + 3 * width);
  }

  private void sumLanes(float[] lanes, int count, float[] to, int n) {
    LaneSums.of(lanes, count * ROWS, sums);
    for (int t = 0; t < count; t++) {
      System.arraycopy(sums, t * ROWS, to, t * piece.keyStride + n, ROWS);
    }
  }
}
