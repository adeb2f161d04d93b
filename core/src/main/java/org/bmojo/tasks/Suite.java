package org.bmojo.tasks;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * What a model is trained on and what it is tested on: segments, no two of which share a seed.
 *
 * @param name for tables and files
 * @param train visited in this order, whole batches of one segment at a time
 * @param test scored each on its own
 */
public record Suite(String name, List<Segment> train, List<Segment> test) {
  /** A task and how many examples of it to draw. */
  public record Part(Task task, long examples) {}

  public Suite {
    train = List.copyOf(train);
    test = List.copyOf(test);
    Set<Long> seeds = new HashSet<>();
    for (Segment segment : train) {
      check(segment, Split.TRAIN, seeds);
      Check.that(
          train.size() == 1 || segment.examples() < Segment.ENDLESS,
          "an endless training segment among " + train.size(),
          "expected it to stand alone",
          "give every segment a number of examples");
    }
    for (Segment segment : test) {
      check(segment, Split.TEST, seeds);
    }
  }

  /** Gives every part a seed of its own, all drawn from one master seed. */
  public static Suite of(String name, long masterSeed, List<Part> train, List<Part> test) {
    RandomGenerator random = Draw.random(masterSeed, 0);
    Set<Long> used = new HashSet<>();
    return new Suite(
        name, segments(Split.TRAIN, train, random, used), segments(Split.TEST, test, random, used));
  }

  /** Training batches in one round through all segments. */
  public long batchesPerEpoch(int batchSize) {
    Check.that(
        !train.isEmpty(),
        "suite " + name + " without training segments",
        "expected at least one",
        "use it for testing only, or add one");
    long batches = 0;
    for (Segment segment : train) {
      batches = Math.addExact(batches, segment.batches(batchSize));
    }
    return batches;
  }

  /** Training batch n ≥ 0 in the listed order, which is how the published results were trained. */
  public Batch trainBatch(int batchSize, long n) {
    return batchOfEpoch(batchSize, n % batchesPerEpoch(batchSize));
  }

  /**
   * Training batch n ≥ 0 with the batches of every epoch in an order of its own: settings mix, and
   * a run that stops early has seen all of them.
   */
  public Batch shuffledTrainBatch(int batchSize, long n, long orderSeed) {
    long batches = batchesPerEpoch(batchSize);
    Check.that(
        batches <= 1 << 20,
        batches + " batches in an epoch",
        "expected at most 2²⁰ to put in order",
        "shuffle finite segments, or use larger batches");
    Check.that(n >= 0, "batch " + n, "expected 0 or more", "count batches from 0");
    int[] order =
        Draw.distinct(Draw.random(orderSeed, n / batches), 0, (int) batches, (int) batches);
    return batchOfEpoch(batchSize, order[(int) (n % batches)]);
  }

  private Batch batchOfEpoch(int batchSize, long n) {
    Check.that(n >= 0, "batch " + n, "expected 0 or more", "count batches from 0");
    int segment = 0;
    while (n >= train.get(segment).batches(batchSize)) {
      n -= train.get(segment++).batches(batchSize);
    }
    return train.get(segment).batch(batchSize, n);
  }

  private static void check(Segment segment, Split split, Set<Long> seeds) {
    Check.that(
        segment.split() == split,
        "a " + segment.split() + " segment in the " + split + " list",
        "expected only " + split + " segments there",
        "move it to the other list");
    Check.that(
        seeds.add(segment.seed()),
        "two segments with seed " + segment.seed(),
        "expected a seed for each",
        "change one of them");
  }

  private static List<Segment> segments(
      Split split, List<Part> parts, RandomGenerator random, Set<Long> used) {
    List<Segment> segments = new ArrayList<>();
    for (Part part : parts) {
      long seed;
      do {
        seed = split.firstSeed() + random.nextLong(1L << 31);
      } while (!used.add(seed));
      segments.add(new Segment(part.task(), split, seed, part.examples()));
    }
    return segments;
  }
}
