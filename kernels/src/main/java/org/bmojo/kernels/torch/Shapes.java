package org.bmojo.kernels.torch;

import java.util.Arrays;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Checks of tensors at an operation's door. */
public final class Shapes {
  /** Stands for "any length" in {@link #expect}. */
  public static final long ANY = -1;

  private Shapes() {}

  /** The shape of {@code t}. */
  public static long[] of(Tensor t) {
    long[] shape = new long[(int) t.dim()];
    for (int i = 0; i < shape.length; i++) shape[i] = t.size(i);
    return shape;
  }

  /**
   * Refuses {@code t} unless it has exactly this shape; {@link #ANY} matches every length.
   *
   * @throws BadInput naming the operation, the tensor, its shape and the expected one
   */
  public static void expect(String operation, String name, Tensor t, long... shape) {
    boolean same = t.dim() == shape.length;
    for (int i = 0; same && i < shape.length; i++) {
      same = shape[i] == ANY || shape[i] == t.size(i);
    }
    if (same) return;
    throw new BadInput(
        operation + ": " + name + " has shape " + Arrays.toString(of(t)),
        "expected " + Arrays.toString(shape).replace("-1", "any"),
        "pass " + name + " in that shape");
  }

  /**
   * Refuses what does not tell of every token where its document begins.
   *
   * @throws BadInput unless {@code begin} is (B, T) and int32
   */
  public static void expectBegin(String operation, Tensor begin, long batch, long tokens) {
    expect(operation, "begin", begin, batch, tokens);
    if (begin.scalar_type().intern() == ScalarType.Int) return;
    throw new BadInput(
        operation + ": begin is " + begin.scalar_type().intern(), "expected int32", "convert it");
  }

  /**
   * Refuses {@code t} unless it is on the device of {@code like}.
   *
   * @throws BadInput naming both devices
   */
  public static void sameDevice(String operation, String name, Tensor t, Tensor like) {
    if (t.device().equals(like.device())) return;
    throw new BadInput(
        operation + ": " + name + " is on " + t.device().str().getString(),
        "expected " + like.device().str().getString() + " like the other inputs",
        "move it there first");
  }
}
