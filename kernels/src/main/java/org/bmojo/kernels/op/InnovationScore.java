package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;

/**
 * How badly a token was predicted: e = mean over d of (rms(x) − predicted)², where rms() divides by
 * the root mean square without gain (eps 1e-6).
 */
public interface InnovationScore {
  /** Added to the mean square. */
  double EPS = 1e-6;

  /** Gradients, shaped as the inputs. */
  record Gradients(Tensor x, Tensor predicted) {}

  /**
   * The score of every token.
   *
   * @param x (B, T, d)
   * @param predicted (B, T, d)
   * @return (B, T), float32 or float64
   */
  Tensor forward(Tensor x, Tensor predicted);

  /**
   * Gradients of {@link #forward}.
   *
   * @param de (B, T)
   */
  Gradients backward(Tensor x, Tensor predicted, Tensor de);
}
