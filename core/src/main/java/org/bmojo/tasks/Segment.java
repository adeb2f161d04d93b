package org.bmojo.tasks;

/**
 * A list of examples of one task that a seed stands for: nothing is stored, batch n is drawn from
 * the seed and n alone, so a run can stop and go on at any batch.
 *
 * @param task what to draw
 * @param split decides the targets and the range of the seed
 * @param seed from the split's range
 * @param examples how many there are; batches beyond them begin again, with the same examples
 */
public record Segment(Task task, Split split, long seed, long examples) {
  /** So many examples that none ever comes again. */
  public static final long ENDLESS = Long.MAX_VALUE;

  public Segment {
    Check.that(
        split.owns(seed),
        "seed " + seed + " for a " + split + " segment",
        "expected " + split.firstSeed() + " … " + (split.firstSeed() + (1L << 31) - 1),
        "training and test seeds come from ranges of their own");
    Check.that(
        examples >= 1,
        "a segment of " + examples + " examples",
        "expected one or more",
        "add some");
  }

  /** Batches until all examples were seen once; the last may be short. */
  public long batches(int batchSize) {
    Check.atLeast(1, batchSize, "batch size");
    return (examples - 1) / batchSize + 1;
  }

  /** Batch n ≥ 0 of an endless repetition of the examples, in the same order every time. */
  public Batch batch(int batchSize, long n) {
    Check.that(n >= 0, "batch " + n, "expected 0 or more", "count batches from 0");
    long first = n % batches(batchSize) * batchSize;
    int size = (int) Math.min(batchSize, examples - first);
    return Batch.draw(task, split, seed, first, size);
  }
}
