package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Gradients of a stream's keys and values, summed by segments of queries that do not wait for each
 * other: each has a buffer for the rows that its queries see, and the buffers are added in order.
 */
final class StreamGradient {
  private final int[] firstRow; // by segment
  private final Tensor[] k, v; // by segment, (B, rows seen, G, D)
  private final Floats[] kMemory, vMemory;
  private final Stream like;

  /**
   * Zeros.
   *
   * @param cuts segment s is tokens cuts[s] … cuts[s+1]−1
   * @param youngest age at which queries first see a row
   * @param oldest age at which they last do
   */
  StreamGradient(Stream like, int[] cuts, long youngest, long oldest) {
    this.like = like;
    int segments = cuts.length - 1;
    long tokens = cuts[segments], rows = like.k().size(1);
    firstRow = new int[segments];
    k = new Tensor[segments];
    v = new Tensor[segments];
    kMemory = new Floats[segments];
    vMemory = new Floats[segments];
    for (int s = 0; s < segments; s++) {
      firstRow[s] = segments == 1 ? 0 : AttentionMemory.firstRow(rows, tokens, cuts[s], oldest);
      long end = segments == 1 ? rows : rows - tokens + cuts[s + 1] - youngest;
      long seen = Math.max(0, end - firstRow[s]);
      k[s] = zeroRows(seen);
      v[s] = zeroRows(seen);
      kMemory[s] = Floats.of(k[s]);
      vMemory[s] = Floats.of(v[s]);
    }
  }

  private Tensor zeroRows(long rows) {
    Tensor t = like.k();
    return zeros(t, ScalarType.Float, t.size(0), rows, t.size(2), t.size(3));
  }

  /** Adds a block's gradients, which begins at {@code row} of the stream. */
  void add(int segment, int b, int group, int row, KeyBlock block) {
    int at = row - firstRow[segment];
    HeadRows keys = HeadRows.of(kMemory[segment], k[segment], b, group);
    HeadRows values = HeadRows.of(vMemory[segment], v[segment], b, group);
    keys.add(at, block.count, block.dk, block.stride);
    values.add(at, block.count, block.dv, block.stride);
  }

  /** The sums over all segments, float32. */
  Stream sum() {
    return new Stream(sum(k), sum(v));
  }

  private Tensor sum(Tensor[] parts) {
    if (parts.length == 1) return parts[0];
    Tensor sum = zeroRows(like.k().size(1));
    for (int s = 0; s < parts.length; s++) {
      long rows = parts[s].size(1);
      if (rows > 0) sum.narrow(1, firstRow[s], rows).add_(parts[s]);
    }
    return sum;
  }
}
