package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Attention forward, a task for each block of queries of each key head of each sequence. */
final class ForwardPass {
  private final AttentionShape shape;
  private final float scale;
  private final AttentionMemory memory;
  private final Floats q, out, logSumExp;
  private final @Nullable Floats far;
  private final Tensor like; // shaped as q, far and out are
  private final int blocks;

  ForwardPass(Inputs in, AttentionShape shape, Tensor out, Tensor logSumExp) {
    this.shape = shape;
    scale = (float) in.geometry().scale();
    memory = new AttentionMemory(in);
    q = Floats.of(in.q());
    far = in.eidetic() == null ? null : Floats.of(in.eidetic().q());
    this.out = Floats.of(out);
    this.logSumExp = Floats.of(logSumExp);
    like = out;
    blocks = Math.ceilDiv(shape.tokens(), shape.blockTokens());
  }

  int tasks() {
    return shape.batch() * shape.groups() * blocks;
  }

  void run(int task) {
    // The last block first: where the past is unbounded it takes longest.
    int token = (blocks - 1 - task % blocks) * shape.blockTokens();
    int group = task / blocks % shape.groups(), b = task / blocks / shape.groups();
    KeyBlock block = new KeyBlock(shape.dim(), shape.shared(), false);
    TileLogits[] logits = shape.tiles();
    ForwardTile[] tiles = new ForwardTile[logits.length];
    for (int i = 0; i < tiles.length; i++) {
      int head = group * shape.shared() + logits[i].head;
      HeadRows farRows = far == null ? null : HeadRows.of(far, like, b, head);
      logits[i].begin(HeadRows.of(q, like, b, head), farRows, token, shape.tokens(), scale);
      tiles[i] = new ForwardTile(logits[i]);
    }
    int queries = Math.min(shape.blockTokens(), shape.tokens() - token);
    memory.forEach(
        b,
        group,
        token,
        queries,
        block,
        (_, _) -> {
          for (ForwardTile tile : tiles) tile.attend(block);
        });
    for (ForwardTile tile : tiles) {
      int head = group * shape.shared() + tile.logits.head;
      int first = token + tile.logits.offset;
      long at = shape.index(b, first, head);
      tile.store(HeadRows.of(out, like, b, head), first, logSumExp, at, shape.heads());
    }
  }
}
