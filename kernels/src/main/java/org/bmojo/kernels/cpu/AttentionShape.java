package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bytedeco.pytorch.Tensor;

/**
 * Sizes of a call, and how queries are cut: blocks of at least four tiles, over the heads that
 * share a key head first and over time then, so that keys once copied are used many times.
 *
 * @param eidetic whether there is long-term memory
 */
record AttentionShape(int batch, int tokens, int heads, int groups, int dim, boolean eidetic) {
  private static final int TILES = 4;

  static AttentionShape of(Inputs in) {
    Tensor q = in.q();
    return new AttentionShape(
        Math.toIntExact(q.size(0)),
        Math.toIntExact(q.size(1)),
        Math.toIntExact(q.size(2)),
        Math.toIntExact(in.window().k().size(2)),
        Math.toIntExact(q.size(3)),
        in.eidetic() != null);
  }

  /** Query heads for each key head. */
  int shared() {
    return heads / groups;
  }

  /** Tokens of a block of queries. */
  int blockTokens() {
    return TileProduct.WIDTH * Math.ceilDiv(TILES, shared());
  }

  /** The tiles of one block of queries, sharing one scratch for their logits. */
  TileLogits[] tiles() {
    int perHead = Math.ceilDiv(TILES, shared());
    float[] scores = new float[KeyBlock.KEYS * TileProduct.WIDTH];
    TileLogits[] tiles = new TileLogits[shared() * perHead];
    for (int i = 0; i < tiles.length; i++) {
      int offset = i % perHead * TileProduct.WIDTH;
      tiles[i] = new TileLogits(i / perHead, offset, dim, eidetic, scores);
    }
    return tiles;
  }

  /** Where query ({@code b}, {@code token}) of a head stands in a (B, T, H) tensor. */
  long index(int b, int token, int head) {
    return ((long) b * tokens + token) * heads + head;
  }
}
