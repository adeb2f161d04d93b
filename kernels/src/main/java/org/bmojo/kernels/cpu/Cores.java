package org.bmojo.kernels.cpu;

import java.lang.ref.Reference;
import java.util.concurrent.ForkJoinPool;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** Runs independent tasks on all cores. */
final class Cores {
  private Cores() {}

  /** How many threads work at a time: the common pool's and the caller. */
  static int count() {
    return ForkJoinPool.getCommonPoolParallelism() + 1;
  }

  /**
   * Runs {@code task} for every number below {@code count}, in any order, on the common pool and
   * this thread. The caller cuts the work by its shape alone, so that the result cannot depend on
   * how many cores there are.
   */
  static void forEach(int count, IntConsumer task) {
    if (count == 1) {
      task.accept(0);
    } else {
      IntStream.range(0, count).parallel().forEach(task);
    }
    // The task's tensors must not be collected while their memory is in use.
    Reference.reachabilityFence(task);
  }

  /** Work on the elements or rows [from, to). */
  @FunctionalInterface
  interface Range {
    void run(long from, long to);
  }

  /** Cuts {@code count} elements or rows into ranges of {@code grain} and runs them all. */
  static void forRanges(long count, long grain, Range range) {
    int tasks = Math.toIntExact((count + grain - 1) / grain);
    forEach(tasks, k -> range.run(k * grain, Math.min(count, (k + 1) * grain)));
    Reference.reachabilityFence(range);
  }
}
