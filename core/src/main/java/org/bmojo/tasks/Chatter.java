package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * Predictable filler for needles to hide in: a Markov chain over the ids 0 … words − 1 that goes on
 * to the next id round the circle, or with a small probability jumps to any of them.
 *
 * <pre>
 * words 6:   3 4 5 0 1 2 3 │ 0 1 2 3 │ 5 0 1 …       │ a jump
 * </pre>
 *
 * A needle among it is what a test for surprise should keep.
 */
final class Chatter {
  private final int words;
  private final double jump;
  private int word;

  Chatter(int words, double jump, RandomGenerator random) {
    this.words = words;
    this.jump = jump;
    this.word = random.nextInt(words);
  }

  /** Writes n tokens; the chain goes on where it stopped. */
  void write(int n, RandomGenerator random, BatchWriter out) {
    for (int i = 0; i < n; i++) {
      if (random.nextDouble() < jump) {
        word = random.nextInt(words);
      } else {
        word = word + 1 == words ? 0 : word + 1;
      }
      out.token(word);
    }
  }
}
