package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.GatedRidge.Solver;
import org.bmojo.kernels.torch.Floats;

/**
 * Chebyshev iterations for (M_t + λ_t I) z_t = b_t (Golub and Varga 1961), whose eigenvalues lie in
 * [λ, λ + ‖M‖]. The interval's ends are in a fixed proportion, so the weights are the same for all
 * tokens. Once the matrices before all pieces are known, every piece is a task of its own.
 */
final class RidgeSolve {
  private static final int TOKENS = RidgeGroup.TOKENS;

  private final RidgePiece piece;
  private final RidgeGroup group;
  private final Solver solver;
  private final int stride;
  private final float[] first; // step_t·b_t
  private final float[] step = new float[TOKENS]; // 2/(2λ_t + ‖M_t‖)
  private final float[] scale = new float[TOKENS];
  private float[] z, before;

  private RidgeSolve(RidgePiece piece) {
    this.piece = piece;
    group = new RidgeGroup(piece);
    solver = piece.in.solver();
    stride = piece.stride;
    first = piece.rows(TOKENS);
    z = piece.rows(TOKENS);
    before = piece.rows(TOKENS);
  }

  /**
   * All tokens of all heads.
   *
   * @param matrices before every piece
   * @param b (B, T, H, D)
   * @param z (B, T, H, D), overwritten
   * @param norms (B, T, H) ‖M_t‖, overwritten
   */
  static void all(RidgeInputs in, Floats matrices, Floats b, Floats z, Floats norms) {
    HeadLayout layout = in.layout();
    int pieces = layout.pieces();
    Cores.forEach(
        layout.tasks() * pieces,
        i -> {
          int task = i / pieces, from = i % pieces * PIECE, count = layout.length(from);
          RidgePiece piece = new RidgePiece(in);
          piece.readMatrix(matrices, i, piece.matrix);
          piece.read(task, from, count);
          RidgeSolve solve = new RidgeSolve(piece);
          HeadRows right = layout.rows(b, task, piece.dim), left = layout.rows(z, task, piece.dim);
          for (int t = 0; t < count; t += TOKENS) {
            int some = Math.min(TOKENS, count - t);
            solve.group.next(t, some);
            right.read(from + t, some, solve.first, solve.stride);
            solve.run(some);
            left.write(from + t, some, solve.z, solve.stride);
            for (int j = 0; j < some; j++) {
              norms.set(layout.numberAt(task, from + t + j), (float) solve.group.norm[j]);
            }
          }
        });
  }

  /** The group's first {@code count} tokens, whose b are in {@link #first}. */
  private void run(int count) {
    double ridge = solver.ridge(), span = 2 * ridge + 1;
    double rate = 1 / span / 2, weight = 2;
    for (int t = 0; t < TOKENS; t++) step[t] = t < count ? (float) (2 / (span * group.norm[t])) : 0;
    Arrays.fill(first, count * stride, first.length, 0);
    piece.scale(first, step, first, 0);
    System.arraycopy(first, 0, z, 0, z.length);
    Arrays.fill(before, 0);
    for (int i = 0; i < solver.iterations(); i++) {
      weight = 1 / (1 - rate * rate * weight);
      float[] next = before;
      recur((float) weight, (float) (weight * (1 - 2 * ridge / span)), next);
      for (int t = 0; t < TOKENS; t++) scale[t] = (float) -weight * step[t];
      group.addProducts(z, scale, next);
      before = z;
      z = next;
    }
  }

  /**
   * Of z' = weight·(z − step·(M z + λz − b)) − (weight − 1)·(z before) all but M z; step·λ is the
   * same for all tokens.
   *
   * @param own weight·(1 − step·λ)
   * @param next z before, overwritten
   */
  private void recur(float weight, float own, float[] next) {
    float[] z = this.z, first = this.first;
    FloatVector a = Lanes.all(weight), b = Lanes.all(own), c = Lanes.all(1 - weight);
    for (int i = 0; i < z.length; i += LANES) {
      FloatVector rest = c.mul(load(next, i));
      a.fma(load(first, i), b.fma(load(z, i), rest)).intoArray(next, i);
    }
  }
}
