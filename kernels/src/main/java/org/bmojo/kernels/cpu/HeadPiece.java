package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * A piece of one head's tokens and the state before it. No row of a state knows of another, so four
 * of them at a time, a vector wide, go through the whole piece in registers: the state is read and
 * written once a piece instead of once a token.
 */
final class HeadPiece {
  /** Rows of a state that go through a piece together. */
  static final int ROWS = 4;

  final HeadLayout layout;
  final int keyStride, valueStride, width;
  final float[] q, k; // [token][state]
  final float[] v, y; // [token][value]
  final float[] decay = new float[PIECE];
  final float[] state; // [state][value]

  HeadPiece(HeadLayout layout) {
    this.layout = layout;
    keyStride = layout.keyStride();
    valueStride = layout.valueStride();
    width = layout.width();
    int count = Math.min(PIECE, layout.tokens());
    q = new float[count * keyStride];
    k = new float[count * keyStride];
    v = new float[count * valueStride];
    y = new float[count * valueStride];
    state = new float[layout.stateSize()];
  }

  /** Brings in the tokens from {@code from} on. */
  void read(HeadInputs in, int task, int from, int count) {
    layout.rows(in.q(), task, layout.states()).read(from, count, q, keyStride);
    layout.rows(in.k(), task, layout.states()).read(from, count, k, keyStride);
    layout.rows(in.v(), task, layout.values()).read(from, count, v, valueStride);
    for (int t = 0; t < count; t++) decay[t] = in.decay(task, from + t);
  }

  /** y_t = S_tᵀ q_t where S_t = decay_t·S_{t−1} + k_t v_tᵀ; leaves the state after the piece. */
  void advance(int count) {
    Arrays.fill(y, 0);
    for (int n = 0; n < layout.states(); n += ROWS) {
      for (int j = 0; j < width; j += LANES) advance(n, j, count);
    }
  }

  /** Four rows from n on and a vector of columns from j on. */
  private void advance(int n, int j, int count) {
    float[] q = this.q, k = this.k, v = this.v, y = this.y;
    int at = n * width + j;
    FloatVector a = load(state, at), b = load(state, at + width);
    FloatVector c = load(state, at + 2 * width), d = load(state, at + 3 * width);
    for (int t = 0; t < count; t++) {
      int i = t * keyStride + n, o = t * valueStride + j;
      FloatVector left = all(decay[t]), x = load(v, o);
      a = a.fma(left, x.mul(k[i]));
      b = b.fma(left, x.mul(k[i + 1]));
      c = c.fma(left, x.mul(k[i + 2]));
      d = d.fma(left, x.mul(k[i + 3]));
      FloatVector sum = a.fma(all(q[i]), load(y, o));
      sum = b.fma(all(q[i + 1]), sum);
      sum = c.fma(all(q[i + 2]), sum);
      d.fma(all(q[i + 3]), sum).intoArray(y, o);
    }
    a.intoArray(state, at);
    b.intoArray(state, at + width);
    c.intoArray(state, at + 2 * width);
    d.intoArray(state, at + 3 * width);
  }
}
