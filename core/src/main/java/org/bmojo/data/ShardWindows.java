package org.bmojo.data;

import java.lang.foreign.MemorySegment;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The sequences of T tokens that shards hold side by side, numbered from the first shard on. */
final class ShardWindows {
  /** Fills one row of a batch. */
  interface Row {
    void read(int row, MemorySegment inputs, MemorySegment targets);
  }

  private final TokenShards shards;
  private final int length; // T

  /** Windows before each shard, and at the end all of them. */
  private final long[] before;

  /**
   * @throws BadInput if a batch would have no tokens
   */
  ShardWindows(TokenShards shards, int batch, int length) {
    if (batch < 1 || length < 1) {
      throw new BadInput(
          "batches of " + batch + " sequences of " + length + " tokens",
          "expected at least 1 of each",
          "Correct the batch size or the sequence length");
    }
    this.shards = shards;
    this.length = length;
    before = new long[shards.shardCount() + 1];
    for (int s = 0; s < shards.shardCount(); s++) {
      before[s + 1] = before[s] + Math.max(0, (shards.tokens(s) - 1) / length);
    }
  }

  /** How many there are. */
  long count() {
    return before[before.length - 1];
  }

  /** The shard that holds {@code window}. */
  int shard(long window) {
    int s = 0;
    while (before[s + 1] <= window) s++;
    return s;
  }

  /**
   * Reads one.
   *
   * @param shard that holds it
   * @param shift tokens after the place it has when windows begin with the shard
   */
  void read(long window, int shard, long shift, MemorySegment inputs, MemorySegment targets) {
    long from = shift + (window - before[shard]) * length;
    shards.read(shard, from, length, inputs);
    shards.read(shard, from + 1, length, targets);
  }

  /** A batch whose rows {@code source} fills, first to last. */
  Batch batch(int rows, Row source) {
    long[] shape = {rows, length};
    TensorOptions int64 = new TensorOptions(ScalarType.Long);
    Tensor inputs = torch.empty(shape, int64, null); // (B, T)
    Tensor targets = torch.empty(shape, int64, null); // (B, T)
    MemorySegment in = memory(inputs), out = memory(targets);
    long row = 8L * length;
    for (int b = 0; b < rows; b++) {
      source.read(b, in.asSlice(b * row, row), out.asSlice(b * row, row));
    }
    return new Batch(inputs, targets);
  }

  private static MemorySegment memory(Tensor t) {
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(8 * t.numel());
  }
}
