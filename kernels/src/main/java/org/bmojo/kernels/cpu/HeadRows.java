package org.bmojo.kernels.cpu;

import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;

/**
 * One head's rows in a (…, S, heads, D) tensor: row r is D floats at {@code at + r·step}.
 *
 * @param rows S
 */
record HeadRows(Floats memory, long at, long step, int rows, int dim) {
  /**
   * Head {@code head} of the {@code outer}-th (S, heads, D) block.
   *
   * @param t whose memory {@code memory} is
   */
  static HeadRows of(Floats memory, Tensor t, long outer, long head) {
    long rows = t.size(-3), heads = t.size(-2), dim = t.size(-1);
    long at = (outer * rows * heads + head) * dim;
    return new HeadRows(memory, at, heads * dim, (int) rows, (int) dim);
  }

  /** Copies rows from … from+count−1 to {@code to}, {@code stride} floats apart. */
  void read(int from, int count, float[] to, int stride) {
    for (int r = 0; r < count; r++) {
      memory.read(at + (from + r) * step, to, r * stride, dim);
    }
  }

  /** The way back of {@link #read}. */
  void write(int from, int count, float[] rows, int stride) {
    for (int r = 0; r < count; r++) {
      memory.write(at + (from + r) * step, rows, r * stride, dim);
    }
  }

  /** Adds {@code count} rows of {@code terms}, {@code stride} floats apart, to rows from … . */
  void add(int from, int count, float[] terms, int stride) {
    for (int r = 0; r < count; r++) {
      long row = at + (from + r) * step;
      for (int d = 0; d < dim; d += Lanes.LANES) {
        var sum = Lanes.load(memory, row + d, dim - d).add(Lanes.load(terms, r * stride + d));
        Lanes.store(sum, memory, row + d, dim - d);
      }
    }
  }
}
