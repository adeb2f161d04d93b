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

  /** Just enough blocks to fill the device; each walks over several rows, two in flight. */
  Grid walking(Device device) {
    Grid all = grid(256);
    int resident = threads > 32 ? Math.max(1, 1024 / threads) : width > 64 * vector ? 1 : 4;
    return new Grid(Math.min(all.x(), (long) device.multiprocessors() * resident), all.threads());
  }

  /** Blocks of so many threads where a warp has a row, else of one row. */
  private Grid grid(int block) {
    int perBlock = threads == 32 ? block / 32 : 1;
    return new Grid((count + perBlock - 1) / perBlock, perBlock * threads);
  }
}
