package org.bmojo.tasks;

/**
 * Training or testing. Their segments draw seeds from ranges that do not meet, so no test example
 * can have been trained on by an accident of seeding.
 */
public enum Split {
  /** Seeds 0 … 2³¹ − 1. */
  TRAIN(0),
  /** Seeds 2³¹ … 2³² − 1. */
  TEST(1L << 31);

  private final long firstSeed;

  Split(long firstSeed) {
    this.firstSeed = firstSeed;
  }

  /** The smallest seed of the range; it holds 2³¹ of them. */
  public long firstSeed() {
    return firstSeed;
  }

  /** Whether a segment of this split may use the seed. */
  public boolean owns(long seed) {
    return seed >= firstSeed && seed < firstSeed + (1L << 31);
  }
}
