package org.bmojo.kernels.cuda;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bytedeco.pytorch.Tensor;

/**
 * How RMSNorm lays rows over threads, each pass as was fastest on an H100 at widths of 128, 768 and
 * 2048 halves.
 *
 * @param resident blocks that shall fit on a multiprocessor backward
 * @param ring rows that come through shared memory backward, ahead of the one worked on; 0: the
 *     next one waits in registers
 */
record NormRows(Rows rows, int resident, int ring) {
  static NormRows forward(String operation, Tensor t) {
    return new NormRows(Rows.of(operation, t), 1, 0);
  }

  /** A warp per row of at most 64 loads, else a block, with two loads a thread beyond 128. */
  static NormRows backward(String operation, Tensor t) {
    Rows rows = Rows.of(operation, t);
    int loads = rows.loads(), sharers = loads <= 128 ? loads : (loads + 1) / 2;
    int threads = loads <= 64 ? 32 : Math.min(1024, (sharers + 31) / 32 * 32);
    // With one load of eight halves a thread, four rows ahead take 32 KB of a block or less.
    int ring = loads <= threads && rows.vector() == 8 ? 4 : 0;
    return new NormRows(rows.with(threads), loads <= 32 ? 4 : 1, ring);
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
    Grid all = rows.grid(256);
    int each = rows.threads() > 32 && rows.loads() > rows.threads() ? 4 : 8;
    long blocks = Math.min(all.x(), (long) device.multiprocessors() * each);
    int coming = ring * 2 * 16 * all.threads(); // x and dy, 16 bytes a thread
    return new Grid(blocks, 1, 1, all.threads(), coming);
  }
}
