package org.bmojo.tasks;

import java.util.Arrays;

/** Takes a batch's tokens from left to right, example after example. */
public final class BatchWriter {
  private final int size;
  private final int length;
  private final long[] inputs; // (B·T)
  private final long[] targets; // (B·T)
  private int written; // of B·T
  private int rowStart;

  private int labels;
  private int[] positions = new int[64];
  private int[] pairs = new int[64];
  private int[] distances = new int[64];
  private int[] lookups = new int[64];

  BatchWriter(int size, int length) {
    long tokens = (long) size * length;
    Check.that(
        size >= 1 && tokens <= Integer.MAX_VALUE - 8,
        "a batch of " + size + " examples of " + length + " tokens",
        "expected at least one example and at most 2³¹ tokens in all",
        "choose another batch size");
    this.size = size;
    this.length = length;
    this.inputs = new long[(int) tokens];
    this.targets = new long[(int) tokens];
    Arrays.fill(targets, Batch.IGNORED);
  }

  /** Position within the example of the token that comes next. */
  public int position() {
    return written - rowStart;
  }

  /** Positions still to be written in this example. */
  public int remaining() {
    return length - position();
  }

  /** Appends an unlabelled token. */
  public void token(int id) {
    checkRoom();
    inputs[written++] = id;
  }

  /** Appends a token whose answer takes one look-up; see {@link Batch} for the other arguments. */
  public void labelled(int id, int target, int pairs, int distance) {
    labelled(id, target, pairs, distance, 1);
  }

  /** Appends a labelled token. */
  public void labelled(int id, int target, int pairs, int distance, int lookups) {
    checkRoom();
    if (labels == positions.length) {
      grow();
    }
    positions[labels] = written;
    this.pairs[labels] = pairs;
    distances[labels] = distance;
    this.lookups[labels] = lookups;
    labels++;
    targets[written] = target;
    inputs[written++] = id;
  }

  void endExample() {
    if (remaining() != 0) {
      throw new IllegalStateException(
          "the task wrote " + position() + " of its " + length + " positions");
    }
    rowStart = written;
  }

  Batch toBatch() {
    return new Batch(
        size,
        length,
        inputs,
        targets,
        Arrays.copyOf(positions, labels),
        Arrays.copyOf(pairs, labels),
        Arrays.copyOf(distances, labels),
        Arrays.copyOf(lookups, labels));
  }

  private void checkRoom() {
    if (remaining() <= 0) {
      throw new IllegalStateException("the task writes more than its " + length + " positions");
    }
  }

  private void grow() {
    int capacity = (int) Math.min(inputs.length, 2L * labels);
    positions = Arrays.copyOf(positions, capacity);
    pairs = Arrays.copyOf(pairs, capacity);
    distances = Arrays.copyOf(distances, capacity);
    lookups = Arrays.copyOf(lookups, capacity);
  }
}
