package org.bmojo.data;

import org.bmojo.error.BadInput;

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

  private final ShardWindows windows;

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
    this(shards, batch, length, seed, false);
  }

  /**
   * The same.
   *
   * @param separate whether batches tell where documents begin, so that they know nothing of each
   *     other
   */
  public TokenBatches(TokenShards shards, int batch, int length, long seed, boolean separate) {
    this.shards = shards;
    this.batch = batch;
    this.length = length;
    this.seed = seed;
    windows = new ShardWindows(shards, batch, length, separate);
    if (windows() == 0) {
      throw new BadInput(
          "the text has " + shards.tokens() + " tokens",
          "expected at least " + (length + 1L) + " for sequences of " + length,
          "Give more text or shorten the sequences");
    }
  }

  /** Sequences in an epoch. */
  public long windows() {
    return windows.count();
  }

  @Override
  public Batch next() {
    return next(batch);
  }

  /** The same with another number of sequences, {@code rows}. */
  public Batch next(int rows) {
    return windows.batch(
        rows,
        row -> {
          readWindow(row);
          skip(1);
        });
  }

  /** Passes over as many sequences, reading nothing. */
  public void skip(long sequences) {
    long next = window + sequences;
    epoch += next / windows();
    window = next % windows();
  }

  private void readWindow(ShardWindows.Row row) {
    long key = Hash.mix(seed) + epoch;
    long w = new Permutation(windows(), Hash.mix(key)).at(window);
    int s = windows.shard(w);
    long slack = (shards.tokens(s) - 1) % length;
    long shift = Math.floorMod(Hash.mix(key + s + 1), slack + 1);
    windows.read(w, s, shift, row);
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
