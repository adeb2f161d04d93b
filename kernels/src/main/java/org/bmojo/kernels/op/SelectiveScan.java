package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The selective state-space recurrence of Mamba (Gu and Dao 2023, section 3; "S6"), fused with what
 * surrounds it. Per channel i and state n:
 *
 * <pre>
 *   Δ_t = softplus(delta_t + deltaBias)
 *   h_t = exp(Δ_t·a) · h_{t−1} + Δ_t·u_t · b_t
 *   y_t = (Σ_n h_t·c_t + d·u_t) · silu(z_t)
 * </pre>
 */
public interface SelectiveScan {
  /**
   * What enters. {@code a}, {@code d}, {@code deltaBias} and {@code initial} are float32 (float64
   * in a float64 model) whatever the activations are.
   *
   * @param u (B, T, I) input
   * @param delta (B, T, I) step sizes before bias and softplus
   * @param a (I, N) decay rates, negative
   * @param b (B, T, N) input map
   * @param c (B, T, N) output map
   * @param d (I) skip
   * @param z (B, T, I) gate before silu
   * @param deltaBias (I)
   * @param initial (B, I, N) state before the first token; null is zero
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  record Inputs(
      Tensor u,
      Tensor delta,
      Tensor a,
      Tensor b,
      Tensor c,
      Tensor d,
      Tensor z,
      Tensor deltaBias,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    /** One document. */
    public Inputs(
        Tensor u,
        Tensor delta,
        Tensor a,
        Tensor b,
        Tensor c,
        Tensor d,
        Tensor z,
        Tensor deltaBias,
        @Nullable Tensor initial) {
      this(u, delta, a, b, c, d, z, deltaBias, initial, null);
    }

    /** Refuses shapes that do not fit together. */
    public Inputs {
      expect("selective scan", "u", u, ANY, ANY, ANY);
      long batch = u.size(0), tokens = u.size(1), channels = u.size(2);
      expect("selective scan", "delta", delta, batch, tokens, channels);
      expect("selective scan", "a", a, channels, ANY);
      long states = a.size(1);
      expect("selective scan", "b", b, batch, tokens, states);
      expect("selective scan", "c", c, batch, tokens, states);
      expect("selective scan", "d", d, channels);
      expect("selective scan", "z", z, batch, tokens, channels);
      expect("selective scan", "deltaBias", deltaBias, channels);
      if (initial != null) expect("selective scan", "initial", initial, batch, channels, states);
      if (begin != null) expectBegin("selective scan", begin, batch, tokens);
    }
  }

  /**
   * What leaves.
   *
   * @param y (B, T, I)
   * @param last (B, I, N) state after the last token
   * @param checkpoints states at some positions, in a form private to the room that made them, from
   *     which its backward recomputes the others; null where the room keeps none
   */
  record Output(Tensor y, Tensor last, @Nullable Tensor checkpoints) {}

  /** Gradients, named and shaped as the inputs. */
  record Gradients(
      Tensor u,
      Tensor delta,
      Tensor a,
      Tensor b,
      Tensor c,
      Tensor d,
      Tensor z,
      Tensor deltaBias,
      Tensor initial) {}

  /**
   * The whole sequence.
   *
   * @param forBackward whether {@link #backward} will follow, so that checkpoints are worth keeping
   */
  Output forward(Inputs in, boolean forBackward);

  /**
   * Gradients of {@link #forward}.
   *
   * @param checkpoints what forward returned under that name
   * @param dy (B, T, I)
   * @param dLast (B, I, N), or null where nothing flows into the final state
   */
  Gradients backward(Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast);

  /**
   * One token.
   *
   * @param in inputs with T = 1; {@code initial} is not read
   * @param state (B, I, N), advanced in place
   * @return y (B, 1, I)
   */
  Tensor step(Inputs in, Tensor state);
}
