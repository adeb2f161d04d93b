package org.bmojo.data;

import java.lang.foreign.MemorySegment;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Batches whose rows go on where they were in the batch before, for models that carry their memory
 * from one to the next: the windows of all shards, in their order, are dealt out to the rows in B
 * equal runs, and an epoch takes each run from its beginning to its end.
 *
 * <p>In its second epoch a row reads what another one read in the first, so that no row knows its
 * text only from where it began.
 */
public final class RowBatches implements BatchSource {
  private final TokenShards shards;
  private final int batch; // B
  private final int length; // T

  /** Windows before each shard, and at the end all of them. */
  private final long[] before;

  private long epoch;
  private long step;

  /**
   * Begins at the first epoch.
   *
   * @param shards to read from; stays the caller's to close
   * @param batch sequences in a batch (B)
   * @param length tokens in a sequence (T)
   * @throws BadInput if the shards have less than B windows of T + 1 tokens
   */
  public RowBatches(TokenShards shards, int batch, int length) {
    if (batch < 1 || length < 1) {
      throw new BadInput(
          "batches of " + batch + " sequences of " + length + " tokens",
          "expected at least 1 of each",
          "Correct the batch size or the sequence length");
    }
    this.shards = shards;
    this.batch = batch;
    this.length = length;
    this.before = new long[shards.shardCount() + 1];
    for (int s = 0; s < shards.shardCount(); s++) {
      before[s + 1] = before[s] + Math.max(0, (shards.tokens(s) - 1) / length);
    }
    if (steps() > 0) return;
    throw new BadInput(
        "the text has " + shards.tokens() + " tokens",
        "expected %d times %d for rows that go on".formatted(batch, length + 1),
        "Give more text, or shorten the sequences or the batch");
  }

  /** Batches in an epoch. */
  public long steps() {
    return before[before.length - 1] / batch;
  }

  @Override
  public Batch next() {
    long[] shape = {batch, length};
    TensorOptions int64 = new TensorOptions(ScalarType.Long);
    Tensor inputs = torch.empty(shape, int64, null); // (B, T)
    Tensor targets = torch.empty(shape, int64, null); // (B, T)
    long row = 8L * length;
    for (int b = 0; b < batch; b++) {
      long window = (b + epoch) % batch * steps() + step;
      read(window, memory(inputs).asSlice(b * row, row), memory(targets).asSlice(b * row, row));
    }
    if (++step == steps()) {
      step = 0;
      epoch++;
    }
    return new Batch(inputs, targets);
  }

  private void read(long window, MemorySegment inputs, MemorySegment targets) {
    int s = 0;
    while (before[s + 1] <= window) s++;
    long from = (window - before[s]) * length;
    shards.read(s, from, length, inputs);
    shards.read(s, from + 1, length, targets);
  }

  private static MemorySegment memory(Tensor t) {
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(8 * t.numel());
  }

  /** The epoch, and the batches taken of it. */
  @Override
  public Position position() {
    return new Position(epoch, step);
  }

  @Override
  public void seek(Position position) {
    if (position.epoch() < 0 || position.window() < 0 || position.window() >= steps()) {
      throw new BadInput(
          "position " + position,
          "expected epoch ≥ 0 and batch below " + steps(),
          "Resume with the data, the batch and the sequence length that the checkpoint was made"
              + " with");
    }
    epoch = position.epoch();
    step = position.window();
  }
}
