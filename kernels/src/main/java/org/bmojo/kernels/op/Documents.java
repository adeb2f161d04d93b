package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Tensors.range;

import org.bytedeco.pytorch.Tensor;

/** What follows from {@code begin} (B, T), which says where documents begin in a row. */
public final class Documents {
  private Documents() {}

  /** Which tokens are the first of a document, (B, T) bool. */
  public static Tensor firsts(Tensor begin) {
    return begin.eq(range(begin, 0, begin.size(1)));
  }

  /**
   * Which tokens see those so many places back, (B, T) bool: whether they are of the same document.
   */
  public static Tensor sees(Tensor begin, long back) {
    return begin.le(range(begin, -back, begin.size(1) - back));
  }
}
