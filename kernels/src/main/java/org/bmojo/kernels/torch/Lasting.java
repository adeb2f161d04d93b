package org.bmojo.kernels.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;

/** Native objects that outlive scopes and are freed together: buffers of recorded work. */
public final class Lasting implements AutoCloseable {
  private final List<Pointer> held = new ArrayList<>();

  /** Holds {@code pointer} until this is closed; returns it. */
  public <P extends Pointer> P keep(P pointer) {
    pointer.retainReference();
    held.add(pointer);
    return pointer;
  }

  @Override
  public void close() {
    held.forEach(Pointer::releaseReference);
    held.clear();
  }
}
