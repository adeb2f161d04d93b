package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A trained tensor. Its value lives as long as the model, and so does the buffer of its gradient,
 * which sums over backward passes until {@link #clearGradient}.
 *
 * <p>In mixed precision a matrix is there twice: the value that passes compute with, in bfloat16,
 * and the {@link #master} that an optimizer's small steps do not vanish in.
 */
public final class Parameter extends Var implements AutoCloseable {
  private final boolean decays;
  private @Nullable Tensor master; // null where the value is its own
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

  /** What training updates and checkpoints keep: float32 where the value is narrower. */
  public Tensor master() {
    return master == null ? value() : master;
  }

  /** Whether the value is a narrower copy of the {@link #master}. */
  public boolean isMixed() {
    return master != null;
  }

  /**
   * Moves to a device, there to be computed with in {@code type}: matrices are, while gains, biases
   * and decay rates keep their own type. Nothing must have flowed here yet.
   *
   * @param trained whether a matrix that is narrowed keeps the value it had as its master
   */
  public void place(Device device, ScalarType type, boolean trained) {
    if (buffer != null || master != null) {
      throw new IllegalStateException("placed twice, or after a backward pass");
    }
    try (Scope scope = new Scope()) {
      Tensor there = value().to(device, value().scalar_type());
      Tensor narrow = decays ? there.to(type) : there;
      boolean narrowed = narrow.scalar_type().intern() != there.scalar_type().intern();
      if (narrowed && trained) {
        there = there.is_alias_of(value()) ? there.clone() : there;
        there.retainReference();
        master = there;
      }
      if (!narrow.is_alias_of(value())) {
        replace(narrow);
        borrowed = false;
      }
    }
  }

  @Override
  void add(Tensor g, boolean given) {
    if (cleared) {
      buffer().copy_(g);
    } else {
      buffer().add_(g);
    }
    cleared = false;
  }

  /**
   * Adds a · b to rows {@code from} and following of the gradient, the product going straight to
   * where it is summed.
   *
   * @param a (n, m)
   * @param b (m, k), for a gradient of k columns
   */
  public void addGradientProduct(long from, Tensor a, Tensor b) {
    boolean all = a.size(0) == value().size(0);
    Tensor sum = buffer();
    if (cleared && !all) sum.zero_();
    Tensor rows = all ? sum : sum.narrow(0, from, a.size(0));
    boolean first = cleared && all;
    if (isMixed() && !sum.is_cuda()) {
      Tensor product = a.matmul(b);
      if (first) rows.copy_(product);
      else rows.add_(product);
    } else if (isMixed()) {
      // bfloat16 factors, summed in the float32 that they were multiplied in.
      if (first) {
        torch.mm_out(rows, a, b, ScalarType.Float);
      } else {
        torch.addmm_out(rows, rows, a, b, ScalarType.Float, scalar(1), scalar(1));
      }
    } else if (first) {
      torch.mm_out(rows, a, b);
    } else {
      rows.addmm_(a, b);
    }
    cleared = false;
  }

  private Tensor buffer() {
    if (buffer != null) return buffer;
    Tensor fresh = zeros(master(), Shapes.of(master()));
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

  /**
   * Moves its value to {@code place}.
   *
   * @param place of the value's shape and type, dense
   */
  public void valueInto(Tensor place) {
    if (!Arrays.equals(Shapes.of(place), Shapes.of(value()))) {
      throw new IllegalStateException("a place of another shape");
    }
    place.copy_(value());
    replace(place);
    borrowed = false;
  }

  /**
   * Takes {@code place} for the buffer of its gradient. Nothing must have flowed here yet.
   *
   * @param place of the master's shape and type, dense
   */
  public void gradientInto(Tensor place) {
    if (!Arrays.equals(Shapes.of(place), Shapes.of(value())) || buffer != null) {
      throw new IllegalStateException("a place of another shape, or after a backward pass");
    }
    place.retainReference();
    buffer = place;
  }

  /** Lets go of the gradient and its buffer. */
  public void forgetGradient() {
    cleared = true;
    if (buffer != null) buffer.releaseReference();
    buffer = null;
  }

  /** Has a gradient from now on: zeros, if nothing flowed. */
  public void requireGradient() {
    if (cleared) buffer().zero_();
    cleared = false;
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
    forgetGradient();
    if (master != null) master.releaseReference();
    master = null;
    value().releaseReference();
  }
}
