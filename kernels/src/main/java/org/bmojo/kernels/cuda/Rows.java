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
    int items = Lab.choose("NITEMS", 1);
    int threads =
        loads <= Lab.choose("NMAX", 4 * 32)
            ? 32
            : (int) Math.min(1024, ((loads + items - 1) / items + 31) / 32 * 32);
    return new Rows(t.numel() / width, (int) width, vector, threads);
  }

  String[] constants(Tensor t, Tensor weight) {
    return new String[] {
      "ELEMENT=" + Program.type(t),
      "WEIGHT=" + Program.type(weight),
      "WIDTH=" + width,
      "VECTOR=" + vector,
      "THREADS=" + threads,
      "NLB=" + Lab.choose("NLB", 1),
      "RING=" + ring(t)
    };
  }

  /** Every row at once. */
  Grid all() {
    return grid(Lab.choose("NBLOCK", 128));
  }

  /** Just enough blocks to fill the device; each walks over several rows, two in flight. */
  Grid walking(Device device, Tensor t) {
    Grid plain = walking(device);
    int items = (width + vector * threads - 1) / (vector * threads);
    return new Grid(plain.x(), 1, 1, plain.threads(), ring(t) * 2 * items * plain.threads() * 16);
  }

  private int ring(Tensor t) {
    return vector * (int) t.element_size() == 16 ? Lab.choose("RING", 0) : 0;
  }

  private Grid walking(Device device) {
    Grid all = grid(256);
    int resident = threads > 32 ? Math.max(1, 1024 / threads) : width > 64 * vector ? 1 : 4;
    resident = Lab.choose("NRES", resident);
    return new Grid(Math.min(all.x(), (long) device.multiprocessors() * resident), all.threads());
  }

  /** Blocks of so many threads where a warp has a row, else of one row. */
  private Grid grid(int block) {
    int perBlock = threads == 32 ? block / 32 : 1;
    return new Grid((count + perBlock - 1) / perBlock, perBlock * threads);
  }
}
