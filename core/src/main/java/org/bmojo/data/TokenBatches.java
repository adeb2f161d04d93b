package org.bmojo.data;

import java.lang.foreign.MemorySegment;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Batches of packed sequences: a shard, documents one after another, is cut into windows of T + 1
 * tokens that share their ends, and an epoch takes each window once, in an order computed from seed
 * and epoch. Tokens that fill no window are left out, a different few at the ends in each epoch.
 */
public final class TokenBatches implements BatchSource {
  private final TokenShards shards;
  private final int batch; // B
  private final int length; // T
  private final long seed;

  /** Windows before each shard, and at the end the windows of an epoch. */
  private final long[] before;

  private long epoch;
  private long window;

  /**
   * Begins at the first epoch.
   *
   * @param shards to read from; stays the caller's to close
   * @param batch sequences in a batch (B)
   * @param length tokens in a sequence (T)
   * @throws BadInput if no shard has T + 1 tokens
   */
  public TokenBatches(TokenShards shards, int batch, int length, long seed) {
    if (batch < 1 || length < 1) {
      throw new BadInput(
          "batches of " + batch + " sequences of " + length + " tokens",
          "expected at least 1 of each",
          "Correct the batch size or the sequence length");
    }
    this.shards = shards;
    this.batch = batch;
    this.length = length;
    this.seed = seed;
    this.before = new long[shards.shardCount() + 1];
    for (int s = 0; s < shards.shardCount(); s++) {
      before[s + 1] = before[s] + Math.max(0, (shards.tokens(s) - 1) / length);
    }
    if (windows() == 0) {
      throw new BadInput(
          "the text has " + shards.tokens() + " tokens",
          "expected at least " + (length + 1L) + " for sequences of " + length,
          "Give more text or shorten the sequences");
    }
  }

  /** Sequences in an epoch. */
  public long windows() {
    return before[before.length - 1];
  }

  @Override
  public Batch next() {
    return next(batch);
  }

  /** The same with another number of sequences, {@code rows}. */
  public Batch next(int rows) {
    long[] shape = {rows, length};
    TensorOptions int64 = new TensorOptions(ScalarType.Long);
    Tensor inputs = torch.empty(shape, int64, null); // (B, T)
    Tensor targets = torch.empty(shape, int64, null); // (B, T)
    MemorySegment in = memory(inputs);
    MemorySegment out = memory(targets);
    long row = 8L * length;
    for (int b = 0; b < rows; b++) {
      readWindow(in.asSlice(b * row, row), out.asSlice(b * row, row));
      skip(1);
    }
    return new Batch(inputs, targets);
  }

  /** Passes over as many sequences, reading nothing. */
  public void skip(long sequences) {
    long next = window + sequences;
    epoch += next / windows();
    window = next % windows();
  }

  private void readWindow(MemorySegment inputs, MemorySegment targets) {
    long key = Hash.mix(seed) + epoch;
    long w = new Permutation(windows(), Hash.mix(key)).at(window);
    int s = 0;
    while (before[s + 1] <= w) s++;
    long slack = (shards.tokens(s) - 1) % length;
    long from = Math.floorMod(Hash.mix(key + s + 1), slack + 1) + (w - before[s]) * length;
    shards.read(s, from, length, inputs);
    shards.read(s, from + 1, length, targets);
  }

  private static MemorySegment memory(Tensor t) {
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(8 * t.numel());
  }

  @Override
  public Position position() {
    return new Position(epoch, window);
  }

  @Override
  public void seek(Position position) {
    if (position.epoch() < 0 || position.window() < 0 || position.window() >= windows()) {
      throw new BadInput(
          "position " + position,
          "expected epoch ≥ 0 and window below " + windows(),
          "Resume with the data and the sequence length that the checkpoint was made with");
    }
    epoch = position.epoch();
    window = position.window();
  }
}
