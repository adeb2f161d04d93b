package org.bmojo.kernels.torch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.jspecify.annotations.Nullable;

/**
 * A scope of native memory: every tensor made on this thread while it is open is freed when it
 * closes, except those that were {@link #keep kept}, which then belong to the scope around it.
 *
 * <pre>{@code
 * try (Scope scope = new Scope()) {
 *   Tensor logits = x.matmul(w);
 *   return scope.keep(logits.softmax(-1));
 * }
 * }</pre>
 *
 * <p>Outside any scope a kept tensor lives until the garbage collector finds its Java handle dead.
 */
public final class Scope implements AutoCloseable {
  static {
    QuietThreads.prefer(); // Before the first tensor loads libtorch.
  }

  private final @Nullable PointerScope outer;
  private final PointerScope inner;

  /** Opens a scope inside this thread's current one. */
  public Scope() {
    outer = PointerScope.getInnerScope();
    inner = new PointerScope();
  }

  /** Hands {@code pointer} to the surrounding scope; returns it. */
  public <P extends Pointer> P keep(P pointer) {
    if (outer == null) {
      pointer.retainReference();
    } else {
      outer.attach(pointer);
    }
    return pointer;
  }

  @Override
  public void close() {
    inner.close();
  }
}
