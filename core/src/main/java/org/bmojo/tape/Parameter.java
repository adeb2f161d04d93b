package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A trained tensor. Its value lives as long as the model, and so does the buffer of its gradient,
 * which sums over backward passes until {@link #clearGradient}.
 */
public final class Parameter extends Var implements AutoCloseable {
  private final boolean decays;
  private @Nullable Tensor buffer;
  private boolean cleared = true;
  private boolean borrowed;

  private Parameter(Tensor value, boolean decays) {
    super(value, true);
    this.decays = decays;
    value.retainReference();
  }

  /** A matrix: weight decay pulls it to zero. */
  public static Parameter decaying(Tensor value) {
    return new Parameter(value, true);
  }

  /** A gain, bias, decay rate or the like, which weight decay leaves alone. */
  public static Parameter undecayed(Tensor value) {
    return new Parameter(value, false);
  }

  /** Whether weight decay applies. */
  public boolean decays() {
    return decays;
  }

  @Override
  public void addGradient(Tensor g) {
    if (cleared) {
      buffer().copy_(g);
    } else {
      buffer().add_(g);
    }
    cleared = false;
  }

  /**
   * Adds to rows {@code from} and following of the gradient, for operations that use only those.
   */
  public void addGradientRows(long from, Tensor g) {
    if (cleared) buffer().zero_();
    buffer().narrow(0, from, g.size(0)).add_(g);
    cleared = false;
  }

  private Tensor buffer() {
    if (buffer != null) return buffer;
    Tensor fresh = zeros(value(), Shapes.of(value()));
    fresh.retainReference();
    buffer = fresh;
    return fresh;
  }

  /**
   * Takes a file's own memory for its value; the old one is let go of. Nothing must have flowed
   * here yet.
   *
   * @param next of the same shape; never written to
   */
  public void borrow(Tensor next) {
    if (!Arrays.equals(Shapes.of(next), Shapes.of(value())) || buffer != null) {
      throw new IllegalStateException("a value of another shape, or after a backward pass");
    }
    replace(next);
    borrowed = true;
  }

  /** Whether the value is read-only memory, such as a file's. */
  public boolean isBorrowed() {
    return borrowed;
  }

  /** Copies a borrowed value, so that it may be written to; does nothing to one of our own. */
  public void own() {
    if (!borrowed) return;
    try (Scope scope = new Scope()) {
      replace(value().clone());
    }
    borrowed = false;
  }

  private void replace(Tensor next) {
    next.retainReference();
    value().releaseReference();
    setValue(next);
  }

  /** What flowed here since the gradient was cleared, or null where nothing did. */
  @Override
  public @Nullable Tensor gradient() {
    return cleared ? null : buffer;
  }

  /** Forgets the gradient: the next {@link #addGradient} starts anew, in the same buffer. */
  public void clearGradient() {
    cleared = true;
  }

  /** Frees value and gradient. */
  @Override
  public void close() {
    cleared = true;
    if (buffer != null) buffer.releaseReference();
    buffer = null;
    value().releaseReference();
  }
}
