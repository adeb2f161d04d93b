package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;

/**
 * Rotary position embedding (Su et al. 2021), rotate-half: the first and second half of a head are
 * the two coordinates of D/2 planes, each turned by its own angle.
 */
public interface Rotary {
  /**
   * Turns every head.
   *
   * @param x (B, T, H, D)
   * @param cos (T, D/2) cosines of the angles, or (1, D/2) for one angle for all tokens; float32 or
   *     float64
   * @param sin the same of the sines
   * @return the shape of x
   */
  Tensor forward(Tensor x, Tensor cos, Tensor sin);

  /** Gradient of {@link #forward} with respect to x: the turn back. Also undoes a rotation. */
  Tensor backward(Tensor dy, Tensor cos, Tensor sin);

  /**
   * The same, added to a gradient of x that came another way.
   *
   * @param before the shape and type of dy; unchanged
   */
  default Tensor backwardOnto(Tensor before, Tensor dy, Tensor cos, Tensor sin) {
    return before.add(backward(dy, cos, sin));
  }
}
