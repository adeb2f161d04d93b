package org.bmojo.kernels.cuda;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bytedeco.pytorch.Tensor;

/**
 * How RMSNorm lays rows over threads, each pass as was fastest on an H100 at widths of 128, 768 and
 * 2048 halves.
 *
 * @param resident blocks that shall fit on a multiprocessor backward
 * @param ring rows that come through shared memory backward, ahead of the one worked on
 */
record NormRows(Rows rows, int resident, int ring) {
  /** Threads of a block that walks where a warp has a row. */
  private static final int WALKERS = 256;

  /**
   * Bytes of a block for rows on their way: with what the kernel itself keeps there, no more than
   * every block may have unasked.
   */
  private static final int MOST_COMING = 40 * 1024;

  static NormRows forward(String operation, Tensor t) {
    return new NormRows(Rows.of(operation, t), 1, 0);
  }

  /** A warp per row of at most 64 loads, else a block, with two loads a thread beyond 128. */
  static NormRows backward(String operation, Tensor t) {
    Rows rows = Rows.of(operation, t);
    int loads = rows.loads(), sharers = loads <= 128 ? loads : (loads + 1) / 2;
    int threads = loads <= 64 ? 32 : Math.min(1024, (sharers + 31) / 32 * 32);
    rows = rows.with(threads);
    return new NormRows(rows, loads <= 32 ? 4 : 1, ring(rows));
  }

  Program program(Tensor t, Tensor weight) {
    return Program.of(
        t,
        "rms_norm",
        "ELEMENT=" + Program.type(t),
        "WEIGHT=" + Program.type(weight),
        "WIDTH=" + rows.width(),
        "VECTOR=" + rows.vector(),
        "THREADS=" + rows.threads(),
        "RESIDENT=" + resident,
        "RING=" + ring);
  }

  /** Enough blocks to fill the device; each walks over several rows, more on their way. */
  Grid walking(Device device) {
    Grid all = rows.grid(WALKERS);
    int each = rows.threads() > 32 && items(rows) > 1 ? 4 : 8;
    long blocks = Math.min(all.x(), (long) device.multiprocessors() * each);
    return new Grid(blocks, 1, 1, all.threads(), ring * turn(rows));
  }

  /**
   * None where loads are not of eight halves, or where it would be one row: the next one in
   * registers is asked for earlier.
   */
  private static int ring(Rows rows) {
    int ring = rows.vector() == 8 ? Math.min(4, MOST_COMING / turn(rows)) : 0;
    return ring < 2 ? 0 : ring;
  }

  /** Bytes of a block for one more row to each walker: x and dy, 16 to a load. */
  private static int turn(Rows rows) {
    int threads = rows.threads() == 32 ? WALKERS : rows.threads();
    return 2 * items(rows) * threads * 16;
  }

  /** Loads of a thread. */
  private static int items(Rows rows) {
    return (rows.loads() + rows.threads() - 1) / rows.threads();
  }
}
