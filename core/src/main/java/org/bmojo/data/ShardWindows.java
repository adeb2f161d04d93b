package org.bmojo.data;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The sequences of T tokens that shards hold side by side, numbered from the first shard on. */
final class ShardWindows {
  /**
   * A row of a batch, to be filled.
   *
   * @param begin null where documents are not told apart
   */
  record Row(
      int number, MemorySegment inputs, MemorySegment targets, @Nullable MemorySegment begin) {}

  private final TokenShards shards;
  private final int length; // T
  private final boolean separate;

  /** Windows before each shard, and at the end all of them. */
  private final long[] before;

  /**
   * @param separate whether batches tell where documents begin
   * @throws BadInput if a batch would have no tokens
   */
  ShardWindows(TokenShards shards, int batch, int length, boolean separate) {
    if (batch < 1 || length < 1) {
      throw new BadInput(
          "batches of " + batch + " sequences of " + length + " tokens",
          "expected at least 1 of each",
          "Correct the batch size or the sequence length");
    }
    this.shards = shards;
    this.length = length;
    this.separate = separate;
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
  void read(long window, int shard, long shift, Row row) {
    long from = shift + (window - before[shard]) * length;
    shards.read(shard, from, length, row.inputs);
    shards.read(shard, from + 1, length, row.targets);
    if (row.begin != null) shards.begins(shard, from, length, row.begin);
  }

  /** A batch whose rows {@code source} fills, first to last. */
  Batch batch(int rows, Consumer<Row> source) {
    long[] shape = {rows, length};
    TensorOptions int64 = new TensorOptions(ScalarType.Long);
    Tensor inputs = torch.empty(shape, int64, null); // (B, T)
    Tensor targets = torch.empty(shape, int64, null); // (B, T)
    Tensor begin = separate ? torch.empty(shape, new TensorOptions(ScalarType.Int), null) : null;
    for (int b = 0; b < rows; b++) {
      MemorySegment own = begin == null ? null : row(begin, b);
      source.accept(new Row(b, row(inputs, b), row(targets, b), own));
    }
    return new Batch(inputs, targets, begin);
  }

  private static MemorySegment row(Tensor t, int row) {
    long bytes = t.element_size() * t.size(1);
    return MemorySegment.ofAddress(t.data_ptr().address() + row * bytes).reinterpret(bytes);
  }
}
