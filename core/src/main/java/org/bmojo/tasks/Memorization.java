package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * MAD's memorization: one map from keys to values holds for the whole run and must end up in the
 * weights; nothing in an example gives it away.
 *
 * <pre>
 * vocabulary 9, length 8, map {0→6, 1→4, 2→7, 3→5}, insert token 8
 *
 * inputs     2   8   0   8   2   8   1   8
 * targets    ·   7   ·   6   ·   7   ·   4
 * </pre>
 *
 * Tests use the same map in new sequences. With the published 256 training examples, keys are
 * missed in training once V is large: the best mean over MAD's six settings is about 0.913.
 */
public final class Memorization implements Task {
  /** Seed of the map, apart from all segment seeds: every run shares it. */
  private static final long MAP_SEED = 12345;

  /**
   * Sizes; the vocabulary decides the map.
   *
   * @param vocabulary V: insert token V − 1, the lower half of the rest keys, the upper half values
   * @param length L, even
   */
  public record Config(int vocabulary, int length) {
    public Config {
      Check.atLeast(3, vocabulary, "vocabulary");
      Check.that(
          length >= 2 && length % 2 == 0,
          "length is " + length,
          "expected an even number",
          "add or drop a position");
    }
  }

  private final Config config;
  private final int[] valueOf;

  public Memorization(Config config) {
    this.config = config;
    int keys = (config.vocabulary - 1) / 2;
    // One value is left over when V − 1 is odd.
    this.valueOf = Draw.distinct(Draw.random(MAP_SEED, 0), keys, config.vocabulary - 1, keys);
  }

  @Override
  public String name() {
    return "memorization";
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
    for (int i = 0; i < config.length / 2; i++) {
      int key = random.nextInt(valueOf.length);
      out.token(key);
      out.labelled(config.vocabulary - 1, valueOf[key], valueOf.length, Batch.NONE);
    }
  }
}
