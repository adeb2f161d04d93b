package org.bmojo.kernels.torch;

import org.bytedeco.openblas.global.openblas_full;
import org.bytedeco.pytorch.global.torch;

/** How many threads libtorch and its BLAS take for one operation. */
public final class NativeThreads {
  private NativeThreads() {}

  /**
   * For operations that the current thread calls; libtorch counts per calling thread, its BLAS for
   * all. Several threads that each train a model go best with a share of the cores each.
   */
  public static void set(int threads) {
    torch.set_num_threads(threads);
    try {
      openblas_full.openblas_set_num_threads(threads);
    } catch (LinkageError e) {
      // A libtorch that brings another BLAS, as its CUDA build does, comes without this one.
    }
  }
}
