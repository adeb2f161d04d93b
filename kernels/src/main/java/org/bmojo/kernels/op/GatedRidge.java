package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The solver of Gated KalmaNet: queries multiplied by the regularised inverse of the keys' decaying
 * Gram matrix. Per head:
 *
 * <pre>
 *   M_t = exp(g_t) · M_{t−1} + k_t k_tᵀ
 *   (M_t + λ_t I) z_t ≈ q_t   with   λ_t = ridge · ‖M_t‖   (Frobenius)
 * </pre>
 *
 * by a <em>fixed</em> number of Chebyshev iterations on the interval [λ, λ + ‖M‖]. With the usual
 * ridge of 0.02 thirty of them leave an error of about 1e-4, so the count belongs to the model: an
 * exact solution would be another function.
 */
public interface GatedRidge {
  /**
   * How to solve.
   *
   * @param ridge λ relative to the norm of the matrix, positive
   * @param iterations of the Chebyshev recurrence, 1 or more
   * @param throughLambda whether gradients see λ depend on the keys
   */
  record Solver(double ridge, int iterations, boolean throughLambda) {
    /** Refuses numbers that solve nothing. */
    public Solver {
      if (!(ridge > 0) || iterations < 1) {
        throw new BadInput(
            "a solver with ridge " + ridge + " and " + iterations + " iterations",
            "expected a positive ridge and at least one iteration",
            "correct the configuration");
      }
    }
  }

  /**
   * What enters.
   *
   * @param q (B, T, H, D)
   * @param k (B, T, H, D)
   * @param g (B, T, H) logarithm of the decay, at most 0, −∞ where a document begins; float32 or
   *     float64
   * @param initial (B, H, D, D) symmetric M before the first token, float32 or float64; null is
   *     zero
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  record Inputs(
      Solver solver,
      Tensor q,
      Tensor k,
      Tensor g,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    /** One document. */
    public Inputs(Solver solver, Tensor q, Tensor k, Tensor g, @Nullable Tensor initial) {
      this(solver, q, k, g, initial, null);
    }

    /** Refuses shapes that do not fit together. */
    public Inputs {
      String op = "gated ridge";
      expect(op, "q", q, ANY, ANY, ANY, ANY);
      long batch = q.size(0), tokens = q.size(1), heads = q.size(2), dim = q.size(3);
      expect(op, "k", k, batch, tokens, heads, dim);
      expect(op, "g", g, batch, tokens, heads);
      if (initial != null) expect(op, "initial", initial, batch, heads, dim, dim);
      if (begin != null) expectBegin(op, begin, batch, tokens);
    }
  }

  /**
   * What leaves.
   *
   * @param z (B, T, H, D)
   * @param last (B, H, D, D) M after the last token
   * @param checkpoints what backward reads, private to the room; null where there is none
   */
  record Output(Tensor z, Tensor last, @Nullable Tensor checkpoints) {}

  /** Gradients, named and shaped as the inputs. */
  record Gradients(Tensor q, Tensor k, Tensor g, Tensor initial) {}

  /**
   * The whole sequence.
   *
   * @param forBackward whether {@link #backward} will follow
   */
  Output forward(Inputs in, boolean forBackward);

  /**
   * The implicit gradient: dq is the same number of iterations applied to dz, dM = −dq zᵀ, and λ's
   * part −ridge·(dq·z)·M/‖M‖. The gradient through the iterations would be another, by as much as
   * the solution is inexact.
   *
   * @param out what forward returned
   * @param dz (B, T, H, D)
   * @param dLast (B, H, D, D), or null where nothing flows into the final matrix
   */
  Gradients backward(Inputs in, Output out, Tensor dz, @Nullable Tensor dLast);

  /**
   * One token.
   *
   * @param in inputs with T = 1; {@code initial} is not read
   * @param state (B, H, D, D), advanced in place
   * @return z (B, 1, H, D)
   */
  Tensor step(Inputs in, Tensor state);
}
