package org.bmojo.cli;

import org.bmojo.model.Placement;
import org.bmojo.parallel.Group;
import org.bmojo.train.Guard;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a run is carried out; a resumed one is told again. */
final class HowOptions {
  /** What to do about a damaged shard. */
  enum BadShards {
    REFUSE,
    SKIP
  }

  @Option(
      names = "--guard",
      paramLabel = "POLICY",
      description =
          "What to do with an update whose loss is no number, or a spike: ${COMPLETION-CANDIDATES}"
              + " (${DEFAULT-VALUE}).")
  Guard.Policy policy = Guard.Policy.STOP;

  @Option(
      names = "--spike",
      paramLabel = "K",
      description =
          "A loss K deviations above the median of the last "
              + Guard.WINDOW
              + " is a spike; 0 for none (${DEFAULT-VALUE}).")
  double spike;

  @Option(
      names = "--max-skips",
      paramLabel = "N",
      description = "Stop after N updates left out in a row (${DEFAULT-VALUE}).")
  int patience = 10;

  @Option(
      names = "--recompute",
      description = "Run each block twice instead of keeping what it made: slower, in less memory.")
  boolean recompute;

  @Option(names = "--tensorboard", description = "Write TensorBoard event files to the run too.")
  boolean tensorboard;

  @Option(
      names = "--bad-shards",
      paramLabel = "POLICY",
      description =
          "Damaged shards of tokens: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}); to skip them,"
              + " all are read once before training.")
  BadShards badShards = BadShards.REFUSE;

  TrainingRun.How how(Placement placement, @Nullable Group group) {
    return new TrainingRun.How(
        placement,
        new Guard(policy, spike, patience),
        recompute,
        tensorboard,
        badShards == BadShards.SKIP,
        group);
  }
}
