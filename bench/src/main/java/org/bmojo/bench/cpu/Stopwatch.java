package org.bmojo.bench.cpu;

import org.bmojo.kernels.torch.Scope;

/** Times on a machine that others may be using. */
final class Stopwatch {
  private static final double WARM_UP = 3, MEASURE = 4; // seconds
  private static final int FEWEST = 5;

  private Stopwatch() {}

  /**
   * Seconds that {@code work} takes when nothing disturbs it: the shortest of many runs, after a
   * warm-up long enough for the compiler.
   */
  static double best(Runnable work) {
    run(work, WARM_UP);
    return run(work, MEASURE);
  }

  private static double run(Runnable work, double seconds) {
    double best = Double.MAX_VALUE;
    long end = System.nanoTime() + (long) (seconds * 1e9);
    for (int i = 0; i < FEWEST || System.nanoTime() < end; i++) {
      long start = System.nanoTime();
      try (Scope scope = new Scope()) {
        work.run();
      }
      best = Math.min(best, (System.nanoTime() - start) / 1e9);
    }
    return best;
  }
}
