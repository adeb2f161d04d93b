package org.bmojo.kernels.cpu;

import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Where the documents of each row begin.
 *
 * @param begin (B, T), as the operations describe it
 * @param tokens T
 */
record DocumentRows(int[] begin, int tokens) {
  /** Null for rows of one document each. */
  static @Nullable DocumentRows of(@Nullable Tensor begin) {
    if (begin == null) return null;
    int[] values = new int[Math.toIntExact(begin.numel())];
    Tensor rows = begin.contiguous();
    if (values.length > 0) new IntPointer(rows.data_ptr()).get(values);
    return new DocumentRows(values, Math.toIntExact(begin.size(1)));
  }

  /** The token with which that of {@code token} begins. */
  int begin(int row, int token) {
    return begin[row * tokens + token];
  }

  /** Whether a document begins with {@code token}. */
  boolean beginsAt(int row, int token) {
    return begin(row, token) == token;
  }

  /**
   * The first token that {@code token}, which may be in the past, is hidden from: T if none is.
   *
   * @param from where to look; no token before it is hidden from
   */
  int end(int row, long token, int from) {
    int low = from, high = tokens;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (begin(row, middle) > token) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
