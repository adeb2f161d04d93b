package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * MQAR with keys of two tokens on a grid: every first part meets every second part, each meeting
 * has a value of its own, so neither part alone tells the answer.
 *
 * <pre>
 * vocabulary 48, length 24, pairs 4 (a 2 × 2 grid), zero fillers
 * first parts 1 … 15, second parts 16 … 31, values 32 … 47
 *
 *           k1 k2  v│k1 k2  v│k1 k2  v│k1 k2  v│⟵ query block, slots of three ⟶
 * inputs     3 20 41  9 31 33  3 31 47  9 20 36  9 20  0  3 20  0  9 31  0  3 31  0
 * targets    ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  · 36  ·  · 41  ·  · 33  ·  · 47  ·
 * distance                                          3       15       15       15
 * </pre>
 */
public final class CompositionalMqar implements Task {
  /**
   * Sizes of the vocabulary and of the grid.
   *
   * @param vocabulary V in thirds: first parts 1 … V/3 − 1, second parts, values
   * @param length L, even and below V
   * @param pairs N = g², with 6N ≤ L
   * @param power as in {@link Mqar.Config}
   * @param randomFillers false leaves fillers at 0
   */
  public record Config(int vocabulary, int length, int pairs, double power, boolean randomFillers) {
    public Config {
      Mqar.checkFrame(vocabulary, length, power);
      Check.atLeast(1, pairs, "pairs");
      int side = side(pairs);
      Check.that(
          side * side == pairs,
          pairs + " pairs",
          "expected a square number, the pairs being the cells of a grid",
          "use " + side * side + " or " + (side + 1) * (side + 1));
      Mqar.checkRoom(6L * pairs, length, pairs + " pairs of two-token keys");
    }

    private static int side(int pairs) {
      return (int) Math.sqrt(pairs);
    }
  }

  private final Config config;
  private final QueryBlock queries;

  public CompositionalMqar(Config config) {
    this.config = config;
    int slots = (config.length - 3 * config.pairs) / 3;
    this.queries =
        new QueryBlock(slots, 3, config.power, config.randomFillers ? config.vocabulary : 1);
  }

  @Override
  public String name() {
    return "compositional-mqar";
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
    int side = Config.side(n);
    int third = config.vocabulary / 3;
    int[] firsts = Draw.distinct(random, 1, third, side);
    int[] seconds = Draw.distinct(random, third, 2 * third, side);
    int[] values = Draw.distinct(random, 2 * third, config.vocabulary, n);
    int[] cells = Draw.distinct(random, 0, n, n);
    int[][] keys = new int[2][n];
    int[] shown = new int[n];
    for (int j = 0; j < n; j++) {
      keys[0][j] = firsts[cells[j] / side];
      keys[1][j] = seconds[cells[j] % side];
      out.token(keys[0][j]);
      shown[j] = out.position();
      out.token(keys[1][j]);
      out.token(values[j]);
    }
    queries.write(random, out, keys, values, shown);
  }
}
