package org.bmojo.bench.cpu;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.ForkJoinPool;
import org.bmojo.kernels.torch.Scope;

/**
 * The fastest of many calls: on all cores by the clock on the wall, and on one core by the time the
 * core gave to it, which is what counts on a machine that others use too.
 *
 * @param wall seconds on all cores
 * @param core core-seconds on one
 */
record Clock(double wall, double core) {
  private static final int CALLS = 20;

  /** Time on a core before the fastest call is believed: the compiler needs its share first. */
  private static final long NANOS = 2_000_000_000L;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  static Clock of(Runnable call) {
    double core = onOneCore(call), wall = Double.POSITIVE_INFINITY;
    for (int i = 0; i < CALLS; i++) {
      try (Scope scope = new Scope()) {
        long start = System.nanoTime();
        call.run();
        wall = Math.min(wall, (System.nanoTime() - start) * 1e-9);
      }
    }
    return new Clock(wall, core);
  }

  /** Parallel streams stay in the pool that they are called from. */
  static double onOneCore(Runnable call) {
    try (ForkJoinPool alone = new ForkJoinPool(1)) {
      return alone.submit(() -> fastest(call)).join() * 1e-9;
    }
  }

  private static long fastest(Runnable call) {
    long fastest = Long.MAX_VALUE, began = THREADS.getCurrentThreadCpuTime(), now = began;
    for (int i = 0; i < CALLS || now - began < NANOS; i++) {
      try (Scope scope = new Scope()) {
        long start = THREADS.getCurrentThreadCpuTime();
        call.run();
        now = THREADS.getCurrentThreadCpuTime();
        fastest = Math.min(fastest, now - start);
      }
    }
    return fastest;
  }

  /** Milliseconds on all cores, GFLOP/s of one core, and their share of its peak. */
  String cells(double gigaflops, double peak) {
    double rate = gigaflops / core;
    return " %.2f | %.0f | %.0f%% |".formatted(wall * 1e3, rate, 100 * rate / peak);
  }
}
