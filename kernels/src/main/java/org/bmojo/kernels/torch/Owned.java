package org.bmojo.kernels.torch;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor that outlives scopes: held until replaced or closed. For states and buffers.
 *
 * <p>Not for what an in-place operation ({@code add_}, {@code fill_}, …) returns: JavaCPP hands
 * that out as a reference into the tensor it was called on, which nothing can hold on to.
 */
public final class Owned implements AutoCloseable {
  private Tensor tensor;

  /** Holds {@code tensor} from now on. */
  public Owned(Tensor tensor) {
    this.tensor = tensor;
    tensor.retainReference();
  }

  /** The tensor held now. */
  public Tensor get() {
    return tensor;
  }

  /** Holds {@code next} instead and lets go of what was held. */
  public void set(Tensor next) {
    if (next.address() == tensor.address()) return;
    next.retainReference();
    tensor.releaseReference();
    tensor = next;
  }

  @Override
  public void close() {
    tensor.releaseReference();
  }
}
