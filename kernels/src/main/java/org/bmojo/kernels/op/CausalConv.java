package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Causal depthwise convolution followed by silu: y_t = silu(bias + Σ_m weight[:, m] · x_{t−K+1+m}),
 * with zeros or a carried state before the first token.
 */
public interface CausalConv {
  /**
   * What enters.
   *
   * @param x (B, T, I)
   * @param weight (I, K)
   * @param bias (I), or null
   * @param initial (B, K−1, I) the inputs before the first token, oldest first; null is zero
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  record Inputs(
      Tensor x,
      Tensor weight,
      @Nullable Tensor bias,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    /** One document. */
    public Inputs(Tensor x, Tensor weight, @Nullable Tensor bias, @Nullable Tensor initial) {
      this(x, weight, bias, initial, null);
    }

    /** Refuses shapes that do not fit together. */
    public Inputs {
      expect("causal convolution", "x", x, ANY, ANY, ANY);
      expect("causal convolution", "weight", weight, x.size(2), ANY);
      if (bias != null) expect("causal convolution", "bias", bias, x.size(2));
      if (initial != null) {
        expect("causal convolution", "initial", initial, x.size(0), weight.size(1) - 1, x.size(2));
      }
      if (begin != null) expectBegin("causal convolution", begin, x.size(0), x.size(1));
    }
  }

  /**
   * What leaves.
   *
   * @param y (B, T, I)
   * @param last (B, K−1, I) the last inputs, to be the next call's {@code initial}
   */
  record Output(Tensor y, Tensor last) {}

  /** Gradients, named and shaped as the inputs; {@code bias} is null where there is none. */
  record Gradients(Tensor x, Tensor weight, @Nullable Tensor bias, Tensor initial) {}

  /** The whole sequence. */
  Output forward(Inputs in);

  /**
   * Gradients of {@link #forward} with respect to its inputs. Nothing flows into {@code last}:
   * training that carries state between calls detaches it.
   *
   * @param dy (B, T, I)
   */
  Gradients backward(Inputs in, Tensor dy);

  /**
   * The same with the gradient of x added to one that came another way.
   *
   * @param before the shape and type of x; unchanged
   */
  default Gradients backwardOnto(Tensor before, Inputs in, Tensor dy) {
    Gradients g = backward(in, dy);
    return new Gradients(before.add(g.x), g.weight, g.bias, g.initial);
  }

  /**
   * One token.
   *
   * @param in inputs with T = 1; {@code initial} is not read
   * @param state (B, K−1, I), advanced in place
   * @return y (B, 1, I)
   */
  Tensor step(Inputs in, Tensor state);
}
