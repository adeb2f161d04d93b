package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;

/** The gate of a SwiGLU perceptron (Shazeer 2020): silu(gate) · up. */
public interface SwiGlu {
  /** Gradients, shaped as the inputs. */
  record Gradients(Tensor gate, Tensor up) {}

  /** silu(gate) · up, elementwise over equal shapes. */
  Tensor forward(Tensor gate, Tensor up);

  /** Gradients of {@link #forward}. */
  Gradients backward(Tensor gate, Tensor up, Tensor dy);
}
