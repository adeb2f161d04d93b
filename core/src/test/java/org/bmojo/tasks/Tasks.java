package org.bmojo.tasks;

import java.util.stream.Stream;

/** Tasks of every kind in awkward sizes, for tests that hold for all. */
final class Tasks {
  private Tasks() {}

  /** Those whose tests can be answered from the inputs alone. */
  static Stream<Task> answerable() {
    return Stream.of(
        new Mqar(new Mqar.Config(5, 4, 1, 0.01, true, 1)),
        new Mqar(new Mqar.Config(207, 64, 13, 0.01, true, 1)),
        new Mqar(new Mqar.Config(8192, 256, 64, 0.01, true, 1)),
        new Mqar(new Mqar.Config(131, 130, 13, 1, false, 3)),
        new ForgettingMqar(new ForgettingMqar.Config(207, 126, 13, 13, 0.01, true)),
        new ForgettingMqar(new ForgettingMqar.Config(64, 38, 7, 4, 0.5, false)),
        new ForgettingMqar(new ForgettingMqar.Config(64, 4, 1, 0, 0.5, true)),
        new CompositionalMqar(new CompositionalMqar.Config(207, 62, 9, 0.01, true)),
        new CompositionalMqar(new CompositionalMqar.Config(7, 6, 1, 0.01, false)),
        new CompositionalMqar(new CompositionalMqar.Config(384, 382, 36, 0.01, true)),
        new InContextRecall(new InContextRecall.Config(2, 4, 0, 0, true)),
        new InContextRecall(new InContextRecall.Config(16, 128, 0, 0, true)),
        new InContextRecall(new InContextRecall.Config(17, 62, 0, 0, false)),
        new InContextRecall(new InContextRecall.Config(32, 128, 16, 0.8, true)),
        new InContextRecall(new InContextRecall.Config(32, 62, 13, 0.2, false)),
        new FuzzyRecall(new FuzzyRecall.Config(16, 128, 3, 3)),
        new FuzzyRecall(new FuzzyRecall.Config(8, 207, 2, 3)),
        new FuzzyRecall(new FuzzyRecall.Config(7, 13, 3, 3)),
        new SelectiveCopying(new SelectiveCopying.Config(16, 256, 96)),
        new SelectiveCopying(new SelectiveCopying.Config(3, 3, 1)),
        new SelectiveCopying(new SelectiveCopying.Config(13, 207, 63)),
        new Compression(new Compression.Config(16, 32)),
        new Compression(new Compression.Config(2, 63)),
        new Passkey(new Passkey.Config(207, 13, 0.1, 63, 10, 5, 1, Passkey.ANY_DEPTH)),
        new Passkey(new Passkey.Config(207, 13, 0.1, 63, 10, 5, 13, 0.5)),
        new Passkey(new Passkey.Config(5, 1, 0, 1, 2, 1, 1, 1)),
        new Passkey(new Passkey.Config(11, 2, 0, 3, 2, 1, 3, 0)),
        new NeedleHaystack(new NeedleHaystack.Config(4, 3)),
        new NeedleHaystack(new NeedleHaystack.Config(208, 207)),
        new VariableTracking(new VariableTracking.Config(207, 13, 0.1, 63, 7, 4, 4, 13)),
        new VariableTracking(new VariableTracking.Config(5, 1, 0, 1, 2, 1, 0, 1)),
        new VariableTracking(new VariableTracking.Config(25, 2, 0.5, 5, 2, 1, 4, 5)),
        new InductionHeads(new InductionHeads.Config(2, 3)),
        new InductionHeads(new InductionHeads.Config(16, 207)),
        new InductionHeads(new InductionHeads.Config(2, 3, true)),
        new InductionHeads(new InductionHeads.Config(16, 207, true)));
  }

  static Stream<Task> all() {
    return Stream.concat(
        answerable(),
        Stream.of(
            new Memorization(new Memorization.Config(3, 2)),
            new Memorization(new Memorization.Config(256, 32))));
  }

  /** Without those so small that they know a single answer. */
  static Stream<Task> varied() {
    return all().filter(task -> task.vocabulary() > 3);
  }

  static Batch test(Task task, int size) {
    return new Segment(task, Split.TEST, Split.TEST.firstSeed() + 7, size).batch(size, 0);
  }

  static Batch train(Task task, int size) {
    return new Segment(task, Split.TRAIN, 7, size).batch(size, 0);
  }

  /** Pearson's statistic of counts against expected probabilities, and its z-score. */
  static double chiSquareZ(long[] counts, double[] probabilities) {
    long n = 0;
    for (long count : counts) {
      n += count;
    }
    double statistic = 0;
    for (int i = 0; i < counts.length; i++) {
      double expected = n * probabilities[i];
      statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    int freedom = counts.length - 1;
    return (statistic - freedom) / Math.sqrt(2.0 * freedom);
  }

  static double uniformZ(long[] counts) {
    double[] p = new double[counts.length];
    java.util.Arrays.fill(p, 1.0 / counts.length);
    return chiSquareZ(counts, p);
  }
}
