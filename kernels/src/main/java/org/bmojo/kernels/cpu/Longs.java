package org.bmojo.kernels.cpu;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;

/** Whole numbers of a tensor as an array. */
final class Longs {
  private Longs() {}

  /** A copy of an int64 tensor's elements in row-major order. */
  static long[] of(Tensor t) {
    long[] values = new long[Math.toIntExact(t.numel())];
    Tensor rows = t.contiguous();
    if (values.length > 0) new LongPointer(rows.data_ptr()).get(values);
    return values;
  }
}
