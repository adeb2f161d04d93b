package org.bmojo.parallel;

import org.bmojo.data.Batch;
import org.bmojo.data.BatchSource;
import org.bmojo.kernels.torch.Scope;

/**
 * One process's part of the batches: they are dealt out in turn. Positions are those of the whole,
 * and so the same for all processes and for any number of them.
 */
public final class RankBatches implements BatchSource {
  private final BatchSource all;
  private final Ranks ranks;

  /**
   * Deals out {@code all}, which every process must have for itself, at the same position.
   *
   * @param all read by nobody else
   */
  public RankBatches(BatchSource all, Ranks ranks) {
    this.all = all;
    this.ranks = ranks;
  }

  @Override
  public Batch next() {
    pass(ranks.rank());
    Batch own = all.next();
    pass(ranks.size() - 1 - ranks.rank());
    return own;
  }

  private void pass(int batches) {
    try (Scope _ = new Scope()) {
      for (int i = 0; i < batches; i++) all.next();
    }
  }

  @Override
  public Position position() {
    return all.position();
  }

  @Override
  public void seek(Position position) {
    all.seek(position);
  }
}
