package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import org.bmojo.kernels.op.GatedRidge.Solver;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Chebyshev iterations for (M + λI) z = b (Golub and Varga 1961), whose eigenvalues lie in [λ, λ +
 * ‖M‖]. The interval's ends are in a fixed proportion, so the weights are the same for all tokens.
 *
 * <p>Once the states before all pieces are known, every piece is a task of its own.
 */
final class RidgePass {
  private static final int TOKENS = RidgeGroup.TOKENS;

  private final Solver solver;
  private final HeadInputs keys;
  private final Floats checkpoints;

  RidgePass(Solver solver, HeadInputs keys, Tensor checkpoints) {
    this.solver = solver;
    this.keys = keys;
    this.checkpoints = Floats.of(checkpoints);
  }

  /** Solves for all tokens of {@code b} (B, T, H, D). */
  void solve(Floats b, Floats z) {
    HeadLayout layout = keys.layout();
    int pieces = layout.pieces();
    Cores.forEach(layout.tasks() * pieces, i -> new Piece(i / pieces, i % pieces, b, z).run(null, null));
  }

  /** And dλ/dM…: along_t = −ridge·⟨x_t, z_t⟩/‖M_t‖. */
  void solve(Floats b, Floats x, Floats z, Floats along) {
    HeadLayout layout = keys.layout();
    int pieces = layout.pieces();
    Cores.forEach(layout.tasks() * pieces, i -> new Piece(i / pieces, i % pieces, b, x).run(z, along));
  }

  /** A piece of one head. */
  private final class Piece {
    private final HeadLayout layout = keys.layout();
    private final RidgeGroup group = new RidgeGroup(layout.states());
    private final int task, from, count;
    private final HeadRows right, solution;
    private float[] z = group.rows(), previous = group.rows();
    private final float[] first = group.rows();
    private final float[] step = new float[TOKENS], scale = new float[TOKENS];
    private final int index;

    Piece(int task, int index, Floats b, Floats z) {
      this.task = task;
      this.index = index;
      from = index * PIECE;
      count = layout.length(from);
      right = layout.rows(b, task, layout.states());
      solution = layout.rows(z, task, layout.states());
    }

    void run(@Nullable Floats z, @Nullable Floats along) {
      float[] state = new float[layout.stateSize()], k = new float[count * group.stride];
      float[] decay = new float[count];
      checkpoints.read(layout.checkpointAt(task, index), state, 0, state.length);
      group.start(state, layout.width());
      layout.rows(keys.k(), task, layout.states()).read(from, count, k, group.stride);
      for (int t = 0; t < count; t++) decay[t] = keys.decay(task, from + t);
      for (int t = 0; t < count; t += TOKENS) {
        int some = Math.min(TOKENS, count - t);
        group.next(k, t * group.stride, group.stride, decay, t, some);
        solve(from + t, some);
        if (z != null && along != null) {
          layout.rows(z, task, layout.states()).read(from + t, some, previous, group.stride);
          for (int i = 0; i < some; i++) {
            double dot = 0;
            for (int j = 0; j < group.dim; j++) dot += (double) this.z[i * group.stride + j] * previous[i * group.stride + j];
            along.set(layout.numberAt(task, from + t + i), (float) (-solver.ridge() * dot / group.norm[i]));
          }
        }
      }
    }

    /** The tokens from {@code at} on. */
    private void solve(int at, int some) {
      double ridge = solver.ridge(), span = 2 * ridge + 1;
      double rate = 1 / span / 2, weight = 2;
      Arrays.fill(first, 0);
      Arrays.fill(previous, 0);
      right.read(at, some, first, group.stride);
      for (int t = 0; t < TOKENS; t++) {
        step[t] = t < some ? (float) (2 / (span * group.norm[t])) : 0;
        for (int j = 0; j < group.columns; j += LANES) {
          load(first, t * group.stride + j).mul(step[t]).intoArray(first, t * group.stride + j);
        }
      }
      System.arraycopy(first, 0, z, 0, z.length);
      for (int i = 0; i < solver.iterations(); i++) {
        weight = 1 / (1 - rate * rate * weight);
        iterate((float) weight, (float) (weight * (1 - 2 * ridge / span)));
      }
      solution.write(at, some, z, group.stride);
    }

    /**
     * z' = weight·(z − step·(M z + λz − b)) − (weight − 1)·(z before), where step·λ is the same for
     * all tokens.
     */
    private void iterate(float weight, float own) {
      float[] z = this.z, next = previous, first = this.first;
      for (int i = 0; i < z.length; i += LANES) {
        var given = load(first, i).mul(weight).sub(load(next, i).mul(weight - 1));
        load(z, i).fma(all(own), given).intoArray(next, i);
      }
      for (int t = 0; t < TOKENS; t++) scale[t] = -weight * step[t];
      group.addProducts(z, scale, next);
      previous = z;
      this.z = next;
    }
  }
}
