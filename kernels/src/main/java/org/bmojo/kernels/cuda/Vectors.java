package org.bmojo.kernels.cuda;

import org.bytedeco.pytorch.Tensor;

/** How many elements a thread moves at once. */
final class Vectors {
  private Vectors() {}

  /** 16 bytes' worth of {@code like}'s elements, or 1 where that does not divide {@code length}. */
  static int width(Tensor like, long length) {
    int most = 16 / (int) like.element_size();
    return length % most == 0 ? most : 1;
  }
}
