package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * A synthetic task: draws one example at a time, token by token, from a source of random numbers.
 * Immutable, so threads may share it. Everything a result needs to be repeated is the task's {@link
 * #name}, {@link #version} and {@link #config}, the segment's seed and the example's index.
 */
public interface Task {
  /** Short name for tables and files, such as {@code mqar}. */
  String name();

  /** The validated configuration; its {@code toString} belongs in every result. */
  Record config();

  /** V: every input and target id is below it. */
  int vocabulary();

  /** T: positions of every example. */
  int length();

  /**
   * Raised whenever the same seed comes to yield other tokens, so old results stay attributable.
   */
  default int version() {
    return 1;
  }

  /**
   * Writes exactly {@link #length} positions.
   *
   * @param split some tasks label every next token in training and only the answers in tests
   * @param random the only source of chance; the same state gives the same example
   */
  void write(Split split, RandomGenerator random, BatchWriter out);
}
