package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The gated delta rule (Yang, Kautz and Hatamizadeh 2024): a state that corrects what it says about
 * a key instead of adding to it. Per head:
 *
 * <pre>
 *   R_t = exp(g_t) · S_{t−1}
 *   S_t = R_t + k_t u_tᵀ   with   u_t = β_t · (v_t − R_tᵀ k_t)
 *   y_t = S_tᵀ q_t
 * </pre>
 */
public interface GatedDelta {
  /**
   * What enters; queries and keys as they are to be used, that is, normalised and scaled.
   *
   * @param q (B, T, H, N)
   * @param k (B, T, H, N)
   * @param v (B, T, H, P)
   * @param beta (B, T, H) strength of the correction
   * @param g (B, T, H) logarithm of the decay, at most 0, −∞ where a document begins; float32 or
   *     float64
   * @param initial (B, H, N, P) state before the first token, float32 or float64; null is zero
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  record Inputs(
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor beta,
      Tensor g,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    /** One document. */
    public Inputs(Tensor q, Tensor k, Tensor v, Tensor beta, Tensor g, @Nullable Tensor initial) {
      this(q, k, v, beta, g, initial, null);
    }

    /** Refuses shapes that do not fit together. */
    public Inputs {
      String op = "gated delta rule";
      expect(op, "q", q, ANY, ANY, ANY, ANY);
      long batch = q.size(0), tokens = q.size(1), heads = q.size(2), states = q.size(3);
      expect(op, "k", k, batch, tokens, heads, states);
      expect(op, "v", v, batch, tokens, heads, ANY);
      expect(op, "beta", beta, batch, tokens, heads);
      expect(op, "g", g, batch, tokens, heads);
      if (initial != null) expect(op, "initial", initial, batch, heads, states, v.size(3));
      if (begin != null) expectBegin(op, begin, batch, tokens);
    }
  }

  /**
   * What leaves.
   *
   * @param y (B, T, H, P)
   * @param last (B, H, N, P) state after the last token
   * @param checkpoints what backward reads, private to the room; null where there is none
   */
  record Output(Tensor y, Tensor last, @Nullable Tensor checkpoints) {}

  /** Gradients, named and shaped as the inputs. */
  record Gradients(Tensor q, Tensor k, Tensor v, Tensor beta, Tensor g, Tensor initial) {}

  /**
   * The whole sequence.
   *
   * @param forBackward whether {@link #backward} will follow
   */
  Output forward(Inputs in, boolean forBackward);

  /**
   * Gradients of {@link #forward}.
   *
   * @param checkpoints what forward returned under that name
   * @param dy (B, T, H, P)
   * @param dLast (B, H, N, P), or null where nothing flows into the final state
   */
  Gradients backward(Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast);

  /**
   * One token.
   *
   * @param in inputs with T = 1; {@code initial} is not read
   * @param state (B, H, N, P), advanced in place
   * @return y (B, 1, H, P)
   */
  Tensor step(Inputs in, Tensor state);
}
