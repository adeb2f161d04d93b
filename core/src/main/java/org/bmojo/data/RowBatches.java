package org.bmojo.data;

import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Scalar;

/**
 * Batches whose rows go on where they were in the batch before, for models that carry their memory
 * from one to the next: the windows of all shards, in their order, are dealt out to the rows in B
 * equal runs, and an epoch takes each run from its beginning to its end.
 *
 * <p>In its second epoch a row reads what another one read in the first, so that no row knows its
 * text only from where it began.
 */
public final class RowBatches implements BatchSource {
  private final int batch; // B
  private final int length; // T

  private final ShardWindows windows;

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
    this(shards, batch, length, false);
  }

  /**
   * The same.
   *
   * @param separate whether batches tell where documents begin, so that they know nothing of each
   *     other; where a row goes on with another text, a document begins
   */
  public RowBatches(TokenShards shards, int batch, int length, boolean separate) {
    this.batch = batch;
    this.length = length;
    windows = new ShardWindows(shards, batch, length, separate);
    if (steps() > 0) return;
    throw new BadInput(
        "the text has " + shards.tokens() + " tokens",
        "expected %d times %d for rows that go on".formatted(batch, length + 1),
        "Give more text, or shorten the sequences or the batch");
  }

  /** Batches in an epoch. */
  public long steps() {
    return windows.count() / batch;
  }

  @Override
  public Batch next() {
    Batch next =
        windows.batch(
            batch,
            row -> {
              long window = (row.number() + epoch) % batch * steps() + step;
              windows.read(window, windows.shard(window), 0, row);
            });
    // What a row held before its run began is another text, whatever the document.
    if (next.begin() != null) next.begin().clamp_min_(new Scalar(-step * length));
    if (++step == steps()) {
      step = 0;
      epoch++;
    }
    return next;
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
