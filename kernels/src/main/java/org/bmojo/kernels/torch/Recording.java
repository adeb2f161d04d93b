package org.bmojo.kernels.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Whether this thread is recording work that will run again on the same memory, and which tensors
 * it needs that nobody else is sure to keep.
 */
public final class Recording {
  private static final ThreadLocal<@Nullable List<Tensor>> HELD = new ThreadLocal<>();

  private Recording() {}

  /**
   * Begins.
   *
   * @return what will be {@link #hold held}; whoever ends the recorded work's life releases that
   */
  public static List<Tensor> begin() {
    if (HELD.get() != null) throw new IllegalStateException("a recording inside another");
    List<Tensor> held = new ArrayList<>();
    HELD.set(held);
    return held;
  }

  /** Ends. */
  public static void end() {
    HELD.remove();
  }

  /** Keeps {@code t} as long as what is being recorded; does nothing if nothing is. */
  public static void hold(Tensor t) {
    List<Tensor> held = HELD.get();
    if (held == null) return;
    t.retainReference();
    held.add(t);
  }

  /**
   * For what is computed on the host and sent, which would be sent again from the same place.
   *
   * @throws IllegalStateException if something is being recorded
   */
  public static void refuse(String what) {
    if (HELD.get() != null) throw new IllegalStateException(what + " cannot be recorded");
  }
}
