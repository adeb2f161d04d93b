package org.bmojo.parallel;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.data.BatchSource;
import org.bmojo.model.Batch;

/** What a process reads, update by update. */
public interface Updates {
  /** This process's batches of the next update. */
  List<Batch> next();

  /** What {@link #next} gives, as a share of the update. */
  double share();

  /** Where the next update begins. */
  BatchSource.Position position();

  /** Goes on from there. */
  void seek(BatchSource.Position position);

  /**
   * For one process that reads everything.
   *
   * @param accumulation batches in an update
   */
  static Updates of(BatchSource source, int accumulation) {
    return new Updates() {
      @Override
      public List<Batch> next() {
        List<Batch> batches = new ArrayList<>();
        for (int i = 0; i < accumulation; i++) {
          var next = source.next();
          batches.add(Batch.of(next));
        }
        return batches;
      }

      @Override
      public double share() {
        return 1;
      }

      @Override
      public BatchSource.Position position() {
        return source.position();
      }

      @Override
      public void seek(BatchSource.Position position) {
        source.seek(position);
      }
    };
  }
}
