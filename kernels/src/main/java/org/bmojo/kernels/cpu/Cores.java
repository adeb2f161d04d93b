package org.bmojo.kernels.cpu;

import java.lang.ref.Reference;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** Runs independent tasks on all cores. */
final class Cores {
  private Cores() {}

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
}
