package org.bmojo.kernels.cuda;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bytedeco.pytorch.Tensor;

/**
 * How rows of {@code width} elements are laid over threads: a warp per row where at most four loads
 * each suffice, else a block.
 */
record Rows(long count, int width, int vector, int threads) {
  private static final int MOST = 32768;

  /** The rows of the last axis of {@code t}. */
  static Rows of(String operation, Tensor t) {
    long width = t.size(-1);
    if (width < 1 || width > MOST) {
      throw new BadInput(
          operation + ": rows of " + width + " elements",
          "the cuda room expects 1 to " + MOST,
          "use the reference backend");
    }
    int vector = Vectors.width(t, width);
    long loads = (width + vector - 1) / vector;
    int threads = loads <= 4 * 32 ? 32 : (int) Math.min(1024, (loads + 31) / 32 * 32);
    return new Rows(t.numel() / width, (int) width, vector, threads);
  }

  String[] constants(Tensor t, Tensor weight) {
    return new String[] {
      "ELEMENT=" + Program.type(t),
      "WEIGHT=" + Program.type(weight),
      "WIDTH=" + width,
      "VECTOR=" + vector,
      "THREADS=" + threads
    };
  }

  /** Every row at once. */
  Grid all() {
    return grid(128);
  }

  /** The same rows with another number of threads to each. */
  Rows with(int threads) {
    return new Rows(count, width, vector, threads);
  }

  /** Loads of a row. */
  int loads() {
    return (width + vector - 1) / vector;
  }

  /** Blocks of so many threads where a warp has a row, else of one row. */
  Grid grid(int block) {
    int perBlock = threads == 32 ? block / 32 : 1;
    return new Grid((count + perBlock - 1) / perBlock, perBlock * threads);
  }
}
