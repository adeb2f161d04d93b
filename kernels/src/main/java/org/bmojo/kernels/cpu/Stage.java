package org.bmojo.kernels.cpu;

/**
 * A stage of a task's work on one piece of tokens of one block of channels. The stages are called
 * through this interface, of which there are many implementations, so that the compiler makes each
 * its own unit: inlined into one, they would together pass the size at which it gives up keeping
 * vectors in registers, and be ten times slower.
 */
@FunctionalInterface
interface Stage {
  /**
   * Works on the tokens [from, from + count).
   *
   * @param block of channels
   * @param count at most {@link ScanLayout#PIECE}
   */
  void run(int block, int from, int count);
}
