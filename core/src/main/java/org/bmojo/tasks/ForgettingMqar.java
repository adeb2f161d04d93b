package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * MQAR in which some keys are given a new value before the queries: the last one counts, so memory
 * must overwrite and not only add.
 *
 * <pre>
 * vocabulary 32, length 20, pairs 3, updates 2, zero fillers; keys 1 … 15, values 16 … 31
 *
 *           key val key val key val│key val key val│⟵ query block ⟶
 * inputs     4  21   9  30   7  18   7  25   4  16   4   0   9   0   0   0   7   0   0   0
 * targets    ·   ·   ·   ·   ·   ·   ·   ·   ·   ·  16   ·  30   ·   ·   ·  25   ·   ·   ·
 * distance                                           2      10              10
 * </pre>
 *
 * A key is updated at most once, and always to a value other than its own first one; the new value
 * may be some other key's. The distance runs to the assignment that counts.
 */
public final class ForgettingMqar implements Task {
  /**
   * Sizes, and how many keys are assigned twice.
   *
   * @param vocabulary V: keys are 1 … V/2 − 1, values V/2 … V − 1
   * @param length L, even and below V
   * @param pairs N distinct keys
   * @param updates U ≤ N keys that are assigned again, with 2(N + U) + 2N ≤ L
   * @param power as in {@link Mqar.Config}
   * @param randomFillers false leaves fillers at 0
   */
  public record Config(
      int vocabulary, int length, int pairs, int updates, double power, boolean randomFillers) {
    public Config {
      Mqar.checkFrame(vocabulary, length, power);
      Check.atLeast(1, pairs, "pairs");
      Check.that(
          updates >= 0 && updates <= pairs,
          updates + " updates of " + pairs + " pairs",
          "expected between none and all of them",
          "update fewer keys");
      Mqar.checkRoom(
          4L * pairs + 2L * updates, length, pairs + " pairs and " + updates + " updates");
    }
  }

  private final Config config;
  private final QueryBlock queries;

  public ForgettingMqar(Config config) {
    this.config = config;
    int slots = config.length / 2 - config.pairs - config.updates;
    this.queries =
        new QueryBlock(slots, 2, config.power, config.randomFillers ? config.vocabulary : 1);
  }

  @Override
  public String name() {
    return "forgetting-mqar";
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
    int n = config.pairs;
    int half = config.vocabulary / 2;
    int[] keys = Draw.distinct(random, 1, half, n);
    int[] values = Draw.distinct(random, half, config.vocabulary, n);
    int[] shown = new int[n];
    for (int j = 0; j < n; j++) {
      show(j, keys, values, shown, out);
    }
    for (int j : Draw.distinct(random, 0, n, config.updates)) {
      // Uniform over the other values: one fewer to draw from, and the present one stepped over.
      int value = half + random.nextInt(config.vocabulary - half - 1);
      values[j] = value < values[j] ? value : value + 1;
      show(j, keys, values, shown, out);
    }
    queries.write(random, out, new int[][] {keys}, values, shown);
  }

  private static void show(int j, int[] keys, int[] values, int[] shown, BatchWriter out) {
    shown[j] = out.position();
    out.token(keys[j]);
    out.token(values[j]);
  }
}
