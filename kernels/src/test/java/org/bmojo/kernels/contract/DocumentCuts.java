package org.bmojo.kernels.contract;

import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** Rows of several documents, cut where it hurts. */
final class DocumentCuts {
  private DocumentCuts() {}

  /** Tokens of the past that the first document of a row has, where the row does not begin one. */
  private static final int PAST = 3;

  /**
   * What the operations call {@code begin}, (B, T) on the CPU. Rows take turns: a document of one
   * token at either end; documents of one token side by side; drawn ones; one cut in the middle.
   */
  static Tensor begin(long batch, long tokens, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int length = (int) tokens;
    int[] begin = new int[(int) batch * length];
    for (int b = 0; b < batch; b++) {
      IntPredicate begins =
          switch ((int) Math.floorMod(seed + b, 4L)) {
            case 0 -> t -> t == 1 || t == length - 1;
            case 1 -> t -> t == 0 || (t >= 15 && t <= 17) || t == 32 || t == 64;
            case 2 -> _ -> random.nextInt(6) == 0;
            default -> t -> t == length / 2;
          };
      int last = -PAST;
      for (int t = 0; t < length; t++) {
        if (begins.test(t)) last = t;
        begin[b * length + t] = last;
      }
    }
    return Tensor.create(begin, batch, tokens);
  }

  /** The same of the tokens from {@code from} on, in a call of their own. */
  static Tensor slice(Tensor begin, long from, long count) {
    return begin.narrow(1, from, count).sub(new Scalar(from)).contiguous();
  }
}
