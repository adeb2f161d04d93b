package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.TileProduct.Matrix;
import org.bmojo.kernels.op.GatedRidge.Solver;

/**
 * A piece's matrices walked backwards. The loss sees each directly, by u_t w_tᵀ + a_t·M_t, and
 * through later ones; with D_t the sum, dk_t = (D_t + D_tᵀ) k_t and dg_t = decay_t·⟨D_t, M_{t−1}⟩.
 * Written out over the piece, with M before it and G the gradient of the matrix after it,
 *
 * <pre>
 *   size_t = a_t + decay²_{t+1}·size_{t+1}
 *   D_t = toEnd_t·G + Σ_{s≥t} within_st·u_s w_sᵀ + size_t·M_t + Σ_{s>t} size_s·within_st·k_s k_sᵀ
 *   dk_t = toEnd_t·(G + Gᵀ) k_t + Σ_{s≥t} within_st·(⟨w_s, k_t⟩·u_s + ⟨u_s, k_t⟩·w_s)
 *        + 2·left_t·size_t·M k_t + 2·Σ_s size_max(s,t)·within_max,min·⟨k_s, k_t⟩·k_s
 * </pre>
 *
 * A decay's gradient is the sum of what everything written before it, M or a key's square, means to
 * everything read from it on, a token or G: a sum over pairs, in which nothing is subtracted.
 */
final class RidgeReverse {
  /** Floats from a token's row of a (piece, piece) matrix to the next. */
  private static final int SQUARE = TileProduct.paddedColumns(PIECE);

  final float[] u, w; // [token][state]
  final float[] along = new float[PIECE]; // a
  final float[] dk; // [token][state]
  final float[] dg = new float[PIECE];
  final float[] gradient; // G, which turns into that of M

  private final RidgePiece piece;
  private final int stride, columns, dim;
  private final float[] symmetric; // G + Gᵀ
  private final float[] kG, kM, wM; // [token][state]
  private final float[] rows;
  private final float[] transposed; // keys, [state][token]
  private final float[] kk = square(), uk = square(), wk = square(); // ⟨k_t, k_s⟩ …
  private final float[] factors = square();
  private final float[] within = square(); // [token][earlier token]
  private final float[] size = new float[PIECE];
  private final float[] lanes = new float[LANES];

  RidgeReverse(RidgePiece piece) {
    this.piece = piece;
    stride = piece.stride;
    columns = piece.columns;
    dim = piece.dim;
    u = piece.rows(PIECE);
    w = piece.rows(PIECE);
    dk = piece.rows(PIECE);
    kG = piece.rows(PIECE);
    kM = piece.rows(PIECE);
    wM = piece.rows(PIECE);
    rows = piece.rows(PIECE);
    gradient = piece.matrix();
    symmetric = piece.matrix();
    transposed = new float[dim * SQUARE];
  }

  private static float[] square() {
    return new float[PIECE * SQUARE];
  }

  /**
   * How the loss sees a token's matrix, u being dq and w z: −dq zᵀ, and through λ along M itself.
   *
   * @param norm ‖M_t‖
   */
  void direct(int t, Solver solver, float norm) {
    double product = dotRows(u, w, t);
    along[t] = solver.throughLambda() ? (float) (-solver.ridge() * product / norm) : 0;
    for (int j = t * stride; j < t * stride + columns; j += LANES) {
      load(w, j).neg().intoArray(w, j);
    }
  }

  /** All gradients of a piece of {@code count} tokens. */
  void run(int count) {
    for (int t = 0; t < count; t++) {
      for (int s = 0; s < t; s++) {
        within[t * SQUARE + s] = within[(t - 1) * SQUARE + s] * piece.decay[t];
      }
      within[t * SQUARE + t] = 1;
    }
    for (int t = count - 1; t >= 0; t--) {
      float kept = t + 1 < count ? piece.decay[t + 1] : 0;
      size[t] = along[t] + (kept == 0 ? 0 : kept * kept * size[t + 1]);
    }
    products();
    keys(count);
    decays(count);
    before(count);
  }

  private void products() {
    for (int i = 0; i < dim; i++) {
      for (int j = 0; j < dim; j++) {
        symmetric[i * stride + j] = gradient[i * stride + j] + gradient[j * stride + i];
      }
    }
    Arrays.fill(kG, 0);
    Arrays.fill(kM, 0);
    Arrays.fill(wM, 0);
    piece.scale(piece.k, piece.toEnd, rows, 0);
    piece.addProduct(rows, symmetric, kG);
    piece.addProduct(piece.k, piece.matrix, kM);
    piece.addProduct(w, piece.matrix, wM);
    for (int t = 0; t < PIECE; t++) {
      for (int i = 0; i < dim; i++) transposed[i * SQUARE + t] = piece.k[t * stride + i];
    }
    withKeys(piece.k, kk);
    withKeys(u, uk);
    withKeys(w, wk);
  }

  /** ⟨x_t, k_s⟩ of all pairs. */
  private void withKeys(float[] x, float[] to) {
    Arrays.fill(to, 0);
    WideTile.add(
        Matrix.of(x, 0, stride),
        Matrix.of(transposed, 0, SQUARE),
        Matrix.of(to, 0, SQUARE),
        PIECE,
        SQUARE,
        dim);
  }

  private void keys(int count) {
    for (int t = 0; t < count; t++) {
      float by = 2 * piece.fromStart[t] * size[t];
      for (int j = t * stride; j < t * stride + columns; j += LANES) {
        load(kM, j).mul(by).add(load(kG, j)).intoArray(dk, j);
      }
    }
    addLater(wk, u, count);
    addLater(uk, w, count);
    Arrays.fill(factors, 0);
    for (int t = 0; t < count; t++) {
      for (int s = 0; s < count; s++) {
        int late = Math.max(s, t), early = Math.min(s, t);
        float both = size[late] * within[late * SQUARE + early];
        factors[t * SQUARE + s] = 2 * both * kk[late * SQUARE + early];
      }
    }
    addRows(piece.k);
  }

  /** dk_t += Σ_{s≥t} within_st·products_st·of_s. */
  private void addLater(float[] products, float[] of, int count) {
    Arrays.fill(factors, 0);
    for (int s = 0; s < count; s++) {
      for (int t = 0; t <= s; t++) {
        factors[t * SQUARE + s] = within[s * SQUARE + t] * products[s * SQUARE + t];
      }
    }
    addRows(of);
  }

  /** dk += factors · of. */
  private void addRows(float[] of) {
    WideTile.add(
        Matrix.of(factors, 0, SQUARE),
        Matrix.of(of, 0, stride),
        Matrix.of(dk, 0, stride),
        PIECE,
        columns,
        PIECE);
  }

  private void decays(int count) {
    float[] pull = new float[PIECE]; // k_sᵀ M_t k_s
    for (int s = 0; s < count; s++) pull[s] = dotRows(kM, piece.k, s);
    float[] atStart = pull.clone(); // k_sᵀ M k_s
    float[] read = new float[PIECE]; // what is read at t of M and of the keys before s
    float ofM = dot(piece.matrix, piece.matrix, 0, dim * stride); // ⟨M_t, M⟩
    float end = piece.fromStart[count - 1] * dot(gradient, piece.matrix, 0, dim * stride);
    Arrays.fill(dg, 0);
    for (int t = 0; t < count; t++) {
      float kept = piece.decay[t], from = piece.fromStart[t];
      ofM = kept * ofM + atStart[t];
      float sum = from * (dotRows(wM, u, t) + along[t] * ofM);
      for (int s = 0; s < count; s++) {
        float both = kk[t * SQUARE + s];
        pull[s] = kept * pull[s] + both * both;
      }
      read[0] = sum;
      for (int s = 0; s < t; s++) {
        int at = t * SQUARE + s;
        sum += within[at] * (uk[at] * wk[at] + along[t] * pull[s]);
        read[s + 1] = sum;
      }
      for (int s = 0; s <= t; s++) dg[s] += read[s];
    }
    for (int t = 0; t < count; t++) {
      dg[t] += end;
      end += dotRows(kG, piece.k, t) / 2;
    }
  }

  private float dotRows(float[] a, float[] b, int t) {
    return dot(a, b, t * stride, t * stride + columns);
  }

  private float dot(float[] a, float[] b, int from, int to) {
    FloatVector sum = Lanes.all(0f);
    for (int i = from; i < to; i += LANES) sum = load(a, i).fma(load(b, i), sum);
    return Lanes.sum(sum, lanes);
  }

  /** G = whole·G + size_0·left_0²·M + Σ left_t·(u_t w_tᵀ + size_t·k_t k_tᵀ). */
  private void before(int count) {
    float whole = piece.fromStart[count - 1];
    float ofM = piece.fromStart[0] * piece.fromStart[0] * size[0];
    for (int i = 0; i < gradient.length; i += LANES) {
      var faded = load(gradient, i).mul(whole);
      load(piece.matrix, i).fma(Lanes.all(ofM), faded).intoArray(gradient, i);
    }
    float[] left = new float[PIECE];
    System.arraycopy(piece.fromStart, 0, left, 0, count);
    piece.scale(u, left, rows, 0);
    piece.addOuter(rows, w, gradient);
    for (int t = 0; t < count; t++) left[t] *= size[t];
    piece.scale(piece.k, left, rows, 0);
    piece.addOuter(rows, piece.k, gradient);
  }
}
