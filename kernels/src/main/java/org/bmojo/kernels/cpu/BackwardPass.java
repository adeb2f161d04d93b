package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Output;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Attention backward, a task for each segment of the queries of each key head of each sequence.
 * Segments end where chunks do, so that an eidetic set belongs to one task.
 */
final class BackwardPass {
  /** Segments are cut until there are as many tasks, but none shorter than {@link #SHORTEST}. */
  private static final int TASKS = 16;

  private static final int SHORTEST = 256;

  private final AttentionShape shape;
  private final float scale;
  private final AttentionMemory memory;
  private final Tensor like; // shaped as all queries and outputs are
  private final Floats q, out, dOut, logSumExp, dq;
  private final @Nullable Floats far;
  private final int[] cuts; // segment s is tokens cuts[s] … cuts[s+1]−1

  /** Gradient of the queries, (B, T, H, D), float32. */
  final Tensor queries;

  final StreamGradient window;
  final @Nullable StreamGradient fading;
  final @Nullable SetGradient sets;

  BackwardPass(Inputs in, AttentionShape shape, Output forward, Tensor dOut) {
    this.shape = shape;
    like = in.q();
    scale = (float) in.geometry().scale();
    memory = new AttentionMemory(in);
    q = Floats.of(in.q());
    far = in.eidetic() == null ? null : Floats.of(in.eidetic().q());
    out = Floats.of(forward.out());
    logSumExp = Floats.of(forward.logSumExp());
    this.dOut = Floats.of(dOut);
    queries = empty(like, ScalarType.Float, Shapes.of(like));
    dq = Floats.of(queries);
    cuts = cuts(shape, in.geometry().start(), in.eidetic() == null ? 1 : in.geometry().chunk());
    long w = in.geometry().window();
    window = new StreamGradient(in.window(), cuts, 0, w - 1);
    fading =
        in.fading() == null
            ? null
            : new StreamGradient(in.fading(), cuts, w, w + in.geometry().fading() - 1);
    sets = in.eidetic() == null ? null : new SetGradient(in.eidetic());
  }

  /** Equal segments, moved back to where a chunk begins. */
  private static int[] cuts(AttentionShape shape, long start, long chunk) {
    int wanted = Math.ceilDiv(TASKS, Math.max(1, shape.batch() * shape.groups()));
    int segments = Math.clamp(shape.tokens() / SHORTEST, 1, wanted);
    int[] cuts = new int[segments + 1];
    for (int s = 1; s < segments; s++) {
      long position = start + (long) shape.tokens() * s / segments;
      cuts[s] = (int) Math.max(0, position / chunk * chunk - start);
    }
    cuts[segments] = shape.tokens();
    return cuts;
  }

  int tasks() {
    return shape.batch() * shape.groups() * (cuts.length - 1);
  }

  void run(int task) {
    int segments = cuts.length - 1;
    int segment = segments - 1 - task % segments; // the last, which sees most, first
    int group = task / segments % shape.groups(), b = task / segments / shape.groups();
    KeyBlock block = new KeyBlock(shape.dim(), shape.shared(), true);
    TileLogits[] logits = shape.tiles();
    BackwardTile[] tiles = new BackwardTile[logits.length];
    for (int i = 0; i < tiles.length; i++) {
      tiles[i] = new BackwardTile(logits[i], far != null, scale);
    }
    int end = cuts[segment + 1];
    for (int token = cuts[segment]; token < end; token += shape.blockTokens()) {
      for (BackwardTile tile : tiles) load(tile, b, group, token, end);
      memory.forEach(
          b,
          group,
          token,
          Math.min(shape.blockTokens(), end - token),
          block,
          (part, row) -> {
            for (BackwardTile tile : tiles) tile.attend(block);
            add(segment, b, group, part, row, block);
          });
      for (BackwardTile tile : tiles) store(tile, b, group, token);
    }
  }

  private void load(BackwardTile tile, int b, int group, int token, int end) {
    int head = group * shape.shared() + tile.logits.head;
    HeadRows near = HeadRows.of(q, like, b, head);
    HeadRows farRows = far == null ? null : HeadRows.of(far, like, b, head);
    tile.logits.begin(near, farRows, token, end, scale);
    int first = token + tile.logits.offset;
    if (first >= end) return;
    HeadRows g = HeadRows.of(dOut, like, b, head);
    tile.begin(near, farRows, HeadRows.of(out, like, b, head), g, first);
    tile.logSumExp(logSumExp, shape.index(b, first, head), shape.heads());
  }

  private void add(int segment, int b, int group, int part, int row, KeyBlock block) {
    if (part == AttentionMemory.WINDOW) {
      window.add(segment, b, group, row, block);
    } else if (part == AttentionMemory.FADING && fading != null) {
      fading.add(segment, b, group, row, block);
    } else if (sets != null) {
      sets.add(b, part - AttentionMemory.SETS, group, row, block);
    }
  }

  private void store(BackwardTile tile, int b, int group, int token) {
    int head = group * shape.shared() + tile.logits.head;
    HeadRows farRows = sets == null ? null : sets.queries(b, head);
    tile.store(HeadRows.of(dq, like, b, head), farRows, token + tile.logits.offset);
  }
}
