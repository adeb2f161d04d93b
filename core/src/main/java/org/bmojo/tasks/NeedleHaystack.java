package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * A haystack made of nothing but needles: MQAR with a single query, asked at the very end. No pair
 * is more surprising than another, so only capacity counts, not what is selected.
 *
 * <pre>
 * vocabulary 16, length 9; keys 1 … 7, values 8 … 15
 *
 *           key val key val key val key val key
 * inputs     3   9   6  15   2   8   7  10   6
 * targets    ·   ·   ·   ·   ·   ·   ·   ·  15
 * distance                                   6
 * </pre>
 */
public final class NeedleHaystack implements Task {
  /**
   * Sizes; the length decides the number of pairs.
   *
   * @param vocabulary V above L: keys are 1 … V/2 − 1, values V/2 … V − 1, all distinct
   * @param length L, odd: (L − 1)/2 pairs and the query
   */
  public record Config(int vocabulary, int length) {
    public Config {
      Check.that(
          length >= 3 && length % 2 == 1,
          "length is " + length,
          "expected an odd number from 3 on: pairs and one query",
          "add or drop a position");
      Check.that(
          vocabulary > length,
          "a vocabulary of " + vocabulary + " ids for length " + length,
          "expected more ids than positions",
          "enlarge the vocabulary");
    }
  }

  private final Config config;

  public NeedleHaystack(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return "needle-haystack";
  }

  @Override
  public Config config() {
    return config;
  }

  @Override
  public int vocabulary() {
    return config.vocabulary;
  }

  @Override
  public int length() {
    return config.length;
  }

  @Override
  public void write(Split split, RandomGenerator random, BatchWriter out) {
    int n = config.length / 2;
    int half = config.vocabulary / 2;
    int[] keys = Draw.distinct(random, 1, half, n);
    int[] values = Draw.distinct(random, half, config.vocabulary, n);
    for (int j = 0; j < n; j++) {
      out.token(keys[j]);
      out.token(values[j]);
    }
    int asked = random.nextInt(n);
    out.labelled(keys[asked], values[asked], n, 2 * (n - asked));
  }
}
