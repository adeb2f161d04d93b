package org.bmojo.cli;

import org.bmojo.error.BadInput;
import org.bmojo.model.Placement;
import org.bmojo.model.Recompute;
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

  /** What documents of one row know of each other. */
  enum Documents {
    JOINED,
    SEPARATE
  }

  @Option(
      names = "--documents",
      paramLabel = "HOW",
      description =
          "Documents that share a sequence: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}). Separate"
              + " ones see nothing of each other: windows end and memory is empty where one begins,"
              + " with the id that ended the one before. A resumed run must be told again.")
  Documents documents = Documents.JOINED;

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
      paramLabel = "WHAT",
      description =
          "What is made again in the backward pass instead of kept (${COMPLETION-CANDIDATES};"
              + " ${DEFAULT-VALUE}): light saves a quarter of the memory for a fiftieth of the"
              + " time, blocks most of it for a third.")
  Recompute recompute = Recompute.NONE;

  @Option(
      names = "--graph",
      description =
          "On one GPU, launch each update as a CUDA graph: the same numbers, and hardly any work"
              + " for the host.")
  boolean graph;

  @Option(names = "--tensorboard", description = "Write TensorBoard event files to the run too.")
  boolean tensorboard;

  @Option(
      names = "--bad-shards",
      paramLabel = "POLICY",
      description =
          "Damaged shards of tokens: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}); to skip them,"
              + " all are read once before training.")
  BadShards badShards = BadShards.REFUSE;

  @Option(
      names = "--carry-state",
      description =
          "Rows of batches go on from one to the next, and memory with them; gradients end at the"
              + " batch. A resumed run must be told again.")
  boolean carry;

  @Option(
      names = "--reset",
      paramLabel = "P",
      description =
          "With --carry-state: empty memory with this probability before a batch"
              + " (${DEFAULT-VALUE}).")
  double reset;

  @Option(
      names = "--random-window",
      paramLabel = "SHARE",
      description =
          "In each batch, windows of between this share of their length and all of it (1).")
  double leastWindow = 1;

  TrainingRun.How how(Placement placement, @Nullable Group group) {
    if (carry && group != null) {
      throw new BadInput(
          "--carry-state in " + group.ranks().size() + " processes",
          "expected one process: rows go on from batch to batch in one place",
          "Start one process, or leave --carry-state out");
    }
    if (recompute == Recompute.BLOCKS && (carry || leastWindow < 1)) {
      throw new BadInput(
          "--recompute blocks beside --carry-state or --random-window",
          "expected one of them: a block cannot be run twice on memory that has gone on",
          "Leave --recompute out and lower --batch");
    }
    boolean separate = documents == Documents.SEPARATE;
    boolean varied = carry || leastWindow < 1 || separate;
    if (graph && (group != null || varied || placement.libtorch().is_cpu())) {
      throw new BadInput(
          "--graph on a CPU, among several processes, or beside --carry-state, --random-window or"
              + " --documents separate",
          "expected one GPU, and the same kernels in each update",
          "Leave --graph out");
    }
    return new TrainingRun.How(
        placement,
        new Guard(policy, spike, patience),
        recompute,
        graph,
        tensorboard,
        badShards == BadShards.SKIP,
        separate,
        group,
        new TrainingRun.Lengths(carry, reset, leastWindow));
  }
}
