package org.bmojo.kernels.token;

import java.util.Arrays;
import org.bmojo.kernels.cpu.MatrixRows;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.jspecify.annotations.Nullable;

/** A thread's own memory for intermediate results. */
public final class Room {
  private static final int FORMATS = Format.values().length;

  private float[] x = new float[0];
  private float[] other = new float[0];
  private final float[][] prepared = new float[FORMATS][0];

  /** What {@link #x} was read by, and what has been prepared of it. */
  private @Nullable Input held;

  private final boolean[] ready = new boolean[FORMATS];

  /** Forgets what it holds: another token's numbers come. */
  void clear() {
    held = null;
  }

  /** At least {@code length} floats, with anything in them. */
  float[] floats(int length) {
    if (other.length < length) other = new float[length];
    return other;
  }

  /** The input as {@code matrix} wants it, made once for all parts of a stage that run here. */
  float[] prepared(Input input, MatrixRows matrix) {
    int format = matrix.format().ordinal();
    if (held != input) {
      if (x.length < matrix.paddedIn()) x = new float[matrix.paddedIn()];
      input.read(x);
      Arrays.fill(x, matrix.in(), matrix.paddedIn(), 0);
      Arrays.fill(ready, false);
      held = input;
    }
    if (!ready[format]) {
      int length = matrix.preparedLength();
      if (prepared[format].length < length) prepared[format] = new float[length];
      matrix.prepare(x, prepared[format]);
      ready[format] = true;
    }
    return prepared[format];
  }
}
