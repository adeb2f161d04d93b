package org.bmojo.checkpoint;

import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;

/**
 * Where training stands and under which settings: with the weights and the optimizer's moments, all
 * that the rest of a run depends on.
 *
 * @param step updates taken
 * @param position of the next batch in the data
 * @param settings of the whole run
 */
public record TrainingState(long step, BatchSource.Position position, Settings settings) {
  /**
   * What stays the same over a run.
   *
   * @param data what the text came from, as the user named it
   * @param tokens to train on that it gave
   * @param heldOut share of the documents held out
   * @param batch sequences in a batch, B
   * @param accumulation batches whose gradients make one update
   * @param context tokens in a sequence, T
   * @param seed decides weights, split, order and batches
   */
  public record Settings(
      String data,
      long tokens,
      double heldOut,
      int batch,
      int accumulation,
      int context,
      long seed,
      Schedule schedule,
      Optimizer.Settings optimizer) {
    /** Refuses empty batches. */
    public Settings {
      if (batch < 1 || accumulation < 1 || context < 1) {
        throw new BadInput(
            accumulation + " batches of " + batch + " sequences of " + context + " tokens",
            "expected at least 1 of each",
            "Correct --accumulate, --batch or --context");
      }
    }

    /** The same once the data has been counted. */
    public Settings withTokens(long counted) {
      return new Settings(
          data, counted, heldOut, batch, accumulation, context, seed, schedule, optimizer);
    }

    /** The same with another schedule. */
    public Settings with(Schedule other) {
      return new Settings(
          data, tokens, heldOut, batch, accumulation, context, seed, other, optimizer);
    }
  }

  /** Refuses a step before the first. */
  public TrainingState {
    if (step < 0) {
      throw new BadInput("step " + step, "expected 0 or more", "Copy the checkpoint anew");
    }
  }
}
