package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;

/**
 * x · weightᵀ with a weight that was made small: for inference only, so without gradients.
 *
 * <p>Few rows read the weight once, as it lies, with float32 arithmetic. Many rows may be
 * multiplied in bfloat16: codes and their scales are exact in it to a half of a last place, x and
 * the result are rounded to it.
 */
public interface PackedLinear {
  /**
   * The product.
   *
   * @param x (…, in)
   * @return (…, out) in the type of x
   */
  Tensor forward(Tensor x, PackedMatrix weight);
}
