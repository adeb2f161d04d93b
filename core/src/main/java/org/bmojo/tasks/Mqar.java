package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * Multi-query associative recall (Arora et al., <a
 * href="https://arxiv.org/abs/2312.04927">Zoology</a>): N pairs are shown, then every key is asked
 * once, early slots being likelier than late ones.
 *
 * <pre>
 * vocabulary 20, length 16, pairs 3, zero fillers; keys are 1 … 9, values 10 … 19
 *
 *           key val key val key val  ⟵ query block, slots of two ⟶
 * inputs     4  11   2  15   7  18   2   0   4   0   0   0   7   0   0   0
 * targets    ·   ·   ·   ·   ·   ·  15   ·  11   ·   ·   ·  18   ·   ·   ·
 * distance                           4       8               8
 * </pre>
 *
 * With random fillers each 0 becomes a uniform id of the whole vocabulary, so a filler can look
 * like a key or a value; it is never labelled. When L = 4N every slot holds a query.
 */
public final class Mqar implements Task {
  /**
   * Sizes of the vocabulary and of the two blocks.
   *
   * @param vocabulary V: keys are 1 … V/2 − 1, values V/2 … V − 1
   * @param length L, even and below V
   * @param pairs N, with 2N·passes + 2N ≤ L
   * @param power a in (0, 1]: slot i is drawn with weight (i + 1)^(a − 1); 1 is uniform
   * @param randomFillers false leaves fillers at 0
   * @param passes how often the whole block of pairs is shown, in the same order
   */
  public record Config(
      int vocabulary, int length, int pairs, double power, boolean randomFillers, int passes) {
    public Config {
      checkFrame(vocabulary, length, power);
      Check.atLeast(1, pairs, "pairs");
      Check.atLeast(1, passes, "passes");
      checkRoom(2L * pairs * passes + 2L * pairs, length, pairs + " pairs in " + passes + " pass");
    }
  }

  private final Config config;
  private final QueryBlock queries;

  public Mqar(Config config) {
    this.config = config;
    int slots = (config.length - 2 * config.pairs * config.passes) / 2;
    this.queries =
        new QueryBlock(slots, 2, config.power, config.randomFillers ? config.vocabulary : 1);
  }

  @Override
  public String name() {
    return "mqar";
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
    for (int pass = 0; pass < config.passes; pass++) {
      for (int j = 0; j < n; j++) {
        shown[j] = out.position();
        out.token(keys[j]);
        out.token(values[j]);
      }
    }
    queries.write(random, out, new int[][] {keys}, values, shown);
  }

  /** What all MQAR variants ask of vocabulary, length and power. */
  static void checkFrame(int vocabulary, int length, double power) {
    Check.that(
        length >= 2 && length % 2 == 0,
        "length is " + length,
        "expected an even number",
        "add or drop a position");
    Check.that(
        vocabulary > length,
        "a vocabulary of " + vocabulary + " ids for length " + length,
        "expected more ids than positions",
        "enlarge the vocabulary");
    Check.that(
        power > 0 && power <= 1,
        "power is " + power,
        "expected 0 < power ≤ 1",
        "use 0.01 as published, or 1 for uniform slots");
  }

  static void checkRoom(long needed, int length, String what) {
    Check.that(
        needed <= length,
        what + " with their queries take " + needed + " positions",
        "expected at most the length, " + length,
        "show fewer pairs or lengthen the example");
  }
}
