package org.bmojo.kernels.op;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** One step of AdamW (Loshchilov and Hutter 2019) over all parameters, with gradient clipping. */
public interface AdamW {
  /**
   * One parameter's tensors, all of one shape.
   *
   * @param weight updated in place
   * @param gradient read
   * @param first moving mean of the gradient, updated in place
   * @param second moving mean of its square, updated in place
   * @param decay weight decay of this parameter, per unit learning rate
   */
  record Slot(Tensor weight, Tensor gradient, Tensor first, Tensor second, double decay) {}

  /**
   * What holds for all parameters.
   *
   * @param step number of this step, from 1, for bias correction
   * @param gradientScale multiplies every gradient first: 1, or clip / norm
   */
  record Settings(
      double learningRate,
      double beta1,
      double beta2,
      double eps,
      long step,
      double gradientScale) {}

  /** The Euclidean norm over all gradients, float32 accumulated in float64. */
  double gradientNorm(List<Slot> slots);

  /** weight −= lr·(decay·weight + m̂ / (sqrt(v̂) + eps)), the moments with bias correction. */
  void step(List<Slot> slots, Settings settings);
}
