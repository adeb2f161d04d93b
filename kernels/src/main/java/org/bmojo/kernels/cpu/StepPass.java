package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.StepInputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One token of each sequence, a task for each key head of each: whatever keys and values the token
 * sees are read once, for all heads that share them.
 */
final class StepPass {
  private final StepInputs in;
  private final int groups, shared, dim;
  private final Floats q, out;
  private final Rows window;
  private final @Nullable Rows fading;
  private final @Nullable Sets sets;

  /** Keys and values (B, S, G, D). */
  private record Rows(Tensor like, Floats k, Floats v) {
    static Rows of(Tensor k, Tensor v) {
      return new Rows(k, Floats.of(k), Floats.of(v));
    }

    static Rows of(Stream s) {
      return of(s.k(), s.v());
    }
  }

  private record Sets(Rows rows, Floats q, Floats bias) {
    static Sets of(Eidetic e) {
      return new Sets(Rows.of(e.k(), e.v()), Floats.of(e.q()), Floats.of(e.bias()));
    }
  }

  StepPass(StepInputs in, Tensor out) {
    this.in = in;
    groups = (int) in.window().k().size(2);
    shared = (int) in.q().size(1) / groups;
    dim = (int) in.q().size(2);
    q = Floats.of(in.q());
    this.out = Floats.of(out);
    window = Rows.of(in.window());
    fading = in.fading() == null ? null : Rows.of(in.fading());
    sets = in.eidetic() == null ? null : Sets.of(in.eidetic());
  }

  int tasks() {
    return in.positions().length * groups;
  }

  void run(int task) {
    int b = task / groups, group = task % groups;
    long query = ((long) b * groups + group) * shared * dim;
    Geometry g = in.geometry();
    KeyBlock block = new KeyBlock(dim, shared, false);
    StepQuery[] heads = new StepQuery[shared];
    for (int h = 0; h < shared; h++) {
      heads[h] = new StepQuery(dim, block.stride);
      heads[h].ask(q, query + (long) h * dim, (float) g.scale());
    }
    long position = in.positions()[b], left = position - g.window();
    ring(window, b, group, Math.max(0, left + 1), position + 1, block, heads);
    if (fading != null) {
      ring(fading, b, group, Math.max(0, left - g.fading() + 1), left + 1, block, heads);
    }
    if (sets != null) {
      for (int h = 0; h < shared; h++) {
        heads[h].ask(sets.q, query + (long) h * dim, (float) g.scale());
      }
      set(sets, b, group, block, heads);
    }
    for (int h = 0; h < shared; h++) heads[h].store(out, query + (long) h * dim);
  }

  /** Attends to positions from … end−1, in runs that a ring holds side by side. */
  private void ring(
      Rows rows, int b, int group, long from, long end, KeyBlock block, StepQuery[] heads) {
    HeadRows keys = HeadRows.of(rows.k, rows.like, b, group);
    HeadRows values = HeadRows.of(rows.v, rows.like, b, group);
    for (long p = from; p < end; p += block.count) {
      int row = (int) (p % keys.rows());
      int run = (int) Math.min(end - p, keys.rows() - row);
      block.load(keys, values, row, Math.min(run, KeyBlock.KEYS));
      for (StepQuery head : heads) head.attend(block, null, 0);
    }
  }

  private void set(Sets sets, int b, int group, KeyBlock block, StepQuery[] heads) {
    HeadRows keys = HeadRows.of(sets.rows.k, sets.rows.like, b, group);
    HeadRows values = HeadRows.of(sets.rows.v, sets.rows.like, b, group);
    for (int slot = 0; slot < keys.rows(); slot += KeyBlock.KEYS) {
      block.load(keys, values, slot, Math.min(keys.rows() - slot, KeyBlock.KEYS));
      for (int h = 0; h < shared; h++) {
        long at = (((long) b * groups + group) * shared + h) * keys.rows() + slot;
        heads[h].attend(block, sets.bias, at);
      }
    }
  }
}
