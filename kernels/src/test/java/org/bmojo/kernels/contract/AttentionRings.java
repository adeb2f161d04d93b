package org.bmojo.kernels.contract;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.StepInputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Parts of a call over a whole sequence, as other calls would be given them. */
final class AttentionRings {
  private AttentionRings() {}

  /** Tokens from … from+count−1 of a call that starts at 0; everything before them is past. */
  static Inputs slice(Inputs all, long from, long count) {
    Geometry g = all.geometry();
    return new Inputs(
        new Geometry(from, g.window(), g.fading(), g.chunk(), g.scale()),
        rows(all.q(), from, count),
        slice(all.window(), 0, from + count),
        all.fading() == null ? null : slice(all.fading(), 0, from + count),
        all.eidetic() == null ? null : slice(all.eidetic(), g.chunk(), from, count));
  }

  static Stream slice(Stream s, long from, long count) {
    return new Stream(rows(s.k(), from, count), rows(s.v(), from, count));
  }

  private static Eidetic slice(Eidetic e, long chunk, long from, long count) {
    long first = from / chunk, chunks = (from + count - 1) / chunk - first + 1;
    return new Eidetic(
        rows(e.q(), from, count),
        rows(e.k(), first, chunks),
        rows(e.v(), first, chunks),
        rows(e.bias(), first, chunks));
  }

  private static Tensor rows(Tensor t, long from, long count) {
    return t.narrow(1, from, count).contiguous();
  }

  /** Sequence b of the call at position at[b]; what a ring has not been given yet is NaN. */
  static StepInputs step(Inputs all, long ring, long... at) {
    Eidetic e = all.eidetic();
    return new StepInputs(
        all.geometry(),
        pick(all.q(), at),
        at,
        ring(all.window(), ring, at),
        all.fading() == null ? null : ring(all.fading(), ring, at),
        e == null ? null : pick(e, all.geometry().chunk(), at));
  }

  private static Eidetic pick(Eidetic e, long chunk, long[] at) {
    long[] set = at.clone();
    for (int b = 0; b < set.length; b++) set[b] /= chunk;
    return new Eidetic(pick(e.q(), at), pick(e.k(), set), pick(e.v(), set), pick(e.bias(), set));
  }

  /** Row at[b] of sequence b. */
  private static Tensor pick(Tensor t, long[] at) {
    Tensor[] rows = new Tensor[at.length];
    for (int b = 0; b < at.length; b++) rows[b] = t.select(0, b).select(0, at[b]);
    return stack(0, rows);
  }

  private static Stream ring(Stream s, long rows, long[] at) {
    return new Stream(ring(s.k(), rows, at), ring(s.v(), rows, at));
  }

  private static Tensor ring(Tensor t, long rows, long[] at) {
    long[] shape = {t.size(0), rows, t.size(2), t.size(3)};
    Tensor ring = torch.full(shape, scalar(Double.NaN), t.options());
    for (int b = 0; b < at.length; b++) {
      for (long j = Math.max(0, at[b] - rows + 1); j <= at[b]; j++) {
        ring.select(0, b).select(0, j % rows).copy_(t.select(0, b).select(0, j));
      }
    }
    return ring;
  }
}
