package org.bmojo.parallel;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.data.BatchSource;
import org.bmojo.data.TokenBatches;
import org.bmojo.error.BadInput;
import org.bmojo.model.Batch;

/**
 * One process's part of every update. What an update reads does not depend on how many processes
 * there are: its sequences, in their order, are cut into as many runs as there are processes, equal
 * but for one sequence, and each process reads its run alone. Positions are those of the whole.
 */
public final class RankBatches implements Updates {
  private final TokenBatches all;
  private final int sequences; // of an update, all processes together
  private final int from, to; // of them this one's
  private final int passes;

  /**
   * Deals out {@code all}, which every process has open for itself, at the same position.
   *
   * @param batch sequences that a process takes at once, at most
   * @param accumulation batches in an update, all processes together
   * @throws BadInput if there are more processes than sequences
   */
  public RankBatches(TokenBatches all, Ranks ranks, int batch, int accumulation) {
    this.all = all;
    sequences = Math.multiplyExact(batch, accumulation);
    if (sequences < ranks.size()) {
      throw new BadInput(
          ranks.size() + " processes for an update of " + sequences + " sequences",
          "expected at least one sequence for each",
          "Start fewer processes, or raise --accumulate: it counts the batches of all processes");
    }
    from = part(ranks.rank(), ranks.size(), sequences);
    to = part(ranks.rank() + 1, ranks.size(), sequences);
    passes = Math.ceilDiv(to - from, batch);
  }

  private static int part(int i, int parts, int whole) {
    return (int) ((long) i * whole / parts);
  }

  /** This process's batches of the next update: as many as it takes, and equal but for one row. */
  @Override
  public List<Batch> next() {
    all.skip(from);
    List<Batch> own = new ArrayList<>();
    for (int i = 0; i < passes; i++) {
      int rows = part(i + 1, passes, to - from) - part(i, passes, to - from);
      var next = all.next(rows);
      own.add(Batch.of(next));
    }
    all.skip(sequences - to);
    return own;
  }

  /** What {@link #next} gives, as a share of the update. */
  @Override
  public double share() {
    return (double) (to - from) / sequences;
  }

  /** Sequences in the largest batch of {@link #next}. */
  public int largest() {
    return Math.ceilDiv(to - from, passes);
  }

  /** Where the next update begins. */
  @Override
  public BatchSource.Position position() {
    return all.position();
  }

  /** Goes on from there. */
  @Override
  public void seek(BatchSource.Position position) {
    all.seek(position);
  }
}
