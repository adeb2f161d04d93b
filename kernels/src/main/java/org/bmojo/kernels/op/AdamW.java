package org.bmojo.kernels.op;

import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One step of AdamW (Loshchilov and Hutter 2019) over all parameters, with gradient clipping.
 *
 * <p>The norm stays where the gradients are, so a step on a GPU never waits for the host: a caller
 * reads it when it likes.
 *
 * <p>Lists of slots are values: one that is passed again must be of the same tensors. What a room
 * found out about an immutable list it may keep.
 */
public interface AdamW {
  /**
   * One parameter's tensors, all of one shape.
   *
   * @param weight updated in place
   * @param copy set to the new weight, rounded to bfloat16; null for none
   * @param gradient read; of the weight's type or bfloat16
   * @param first moving mean of the gradient, updated in place
   * @param second moving mean of its square, updated in place
   * @param decay weight decay of this parameter, per unit learning rate
   */
  record Slot(
      Tensor weight,
      @Nullable Tensor copy,
      Tensor gradient,
      Tensor first,
      Tensor second,
      double decay) {}

  /**
   * What holds for all parameters.
   *
   * @param step number of this step, from 1, for bias correction
   * @param clip largest norm of the gradients: beyond it they are multiplied by clip / norm; 0 for
   *     no limit
   */
  record Settings(
      double learningRate, double beta1, double beta2, double eps, long step, double clip) {
    /** What gradients of that joint norm are multiplied by. */
    public double gradientScale(double norm) {
      return clip > 0 && norm > clip ? clip / norm : 1;
    }

    /** 1 / (1 − β₁^step): what the mean of gradients lacks after so few. */
    public double firstCorrection() {
      return 1 / (1 - Math.pow(beta1, step));
    }

    /** 1 / (1 − β₂^step), of their squares. */
    public double secondCorrection() {
      return 1 / (1 - Math.pow(beta2, step));
    }

    /** What changes from step to step: learning rate, step, both bias corrections. */
    public double[] varying() {
      return new double[] {learningRate, step, firstCorrection(), secondCorrection()};
    }
  }

  /** The Euclidean norm over all gradients: (), float64, on their device. */
  Tensor gradientNorm(List<Slot> slots);

  /**
   * weight −= lr·(decay·weight + m̂ / (sqrt(v̂) + eps)), the moments with bias correction.
   *
   * @param norm (), float64, on the slots' device: what the gradients are clipped by; where it is
   *     not finite, nothing is written
   */
  void step(List<Slot> slots, Settings settings, Tensor norm);

  /**
   * The same with what changes from step to step read from memory when the device gets there, so
   * that a step can be recorded once and run again with other numbers.
   *
   * @param settings whose {@link Settings#varying} numbers do not count
   * @param varying (4) float64, on the slots' device: the ones that do
   */
  default void step(List<Slot> slots, Settings settings, Tensor norm, Tensor varying) {
    Shapes.expect("AdamW", "varying", varying, 4);
    double rate, step;
    try (Scope scope = new Scope()) {
      rate = varying.select(0, 0).item_double();
      step = varying.select(0, 1).item_double();
    }
    Settings s = settings;
    step(slots, new Settings(rate, s.beta1, s.beta2, s.eps, Math.round(step), s.clip), norm);
  }
}
