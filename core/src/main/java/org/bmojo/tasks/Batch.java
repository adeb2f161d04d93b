package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * B examples of T positions, and for each labelled position what it takes to answer it. Arrays are
 * handed out as they are, not copied: read them, do not write.
 *
 * <pre>
 * inputs        3  9  5  8  5  0        (B·T), row after row
 * targets       ·  ·  ·  ·  8  ·        · is {@link #IGNORED}
 * positions     4                       (K) places of the labels, ascending
 * pairs         2                       how many pairs were in memory
 * distances     2                       the answer stands right after position 4 − 2
 * lookups       1                       pairs to be read one after the other
 * </pre>
 */
public final class Batch {
  /** Target of a position that neither the loss nor any accuracy counts. */
  public static final long IGNORED = -100;

  /** Distance of a label whose answer is nowhere in the example. */
  public static final int NONE = -1;

  private final int size;
  private final int length;
  private final long[] inputs;
  private final long[] targets;
  private final int[] positions;
  private final int[] pairs;
  private final int[] distances;
  private final int[] lookups;

  Batch(
      int size,
      int length,
      long[] inputs,
      long[] targets,
      int[] positions,
      int[] pairs,
      int[] distances,
      int[] lookups) {
    this.size = size;
    this.length = length;
    this.inputs = inputs;
    this.targets = targets;
    this.positions = positions;
    this.pairs = pairs;
    this.distances = distances;
    this.lookups = lookups;
  }

  /**
   * Draws examples {@code first} … {@code first + size − 1} of the endless list that a seed stands
   * for. Each depends on the seed and its own index alone: neither the batch size nor earlier
   * batches change it.
   */
  static Batch draw(Task task, Split split, long seed, long first, int size) {
    BatchWriter out = new BatchWriter(size, task.length());
    for (int row = 0; row < size; row++) {
      RandomGenerator random = Draw.random(seed, first + row);
      task.write(split, random, out);
      out.endExample();
    }
    return out.toBatch();
  }

  /** B: examples. */
  public int size() {
    return size;
  }

  /** T: positions per example. */
  public int length() {
    return length;
  }

  /** K: labelled positions of the whole batch. */
  public int labels() {
    return positions.length;
  }

  /** Token ids, (B·T). */
  public long[] inputs() {
    return inputs;
  }

  /** Wanted ids or {@link #IGNORED}, (B·T), aligned with the inputs: no further shift. */
  public long[] targets() {
    return targets;
  }

  /** Index into the flat (B·T) arrays of each label, ascending, (K). */
  public int[] positions() {
    return positions;
  }

  /** How many pairs (or tokens to be repeated) the example held when the label was due, (K). */
  public int[] pairs() {
    return pairs;
  }

  /**
   * Tokens from the labelled position back to the key of the needed pair, (K); {@link #NONE} where
   * nothing earlier answers it. A window of W tokens, the query included, sees a key at distance
   * below W.
   */
  public int[] distances() {
    return distances;
  }

  /** Pairs that must be read in turn: 1, and more only in {@link VariableTracking}, (K). */
  public int[] lookups() {
    return lookups;
  }
}
