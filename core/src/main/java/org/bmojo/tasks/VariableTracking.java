package org.bmojo.tasks;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Variable tracking: chains of assignments lie scattered in predictable filler, and the value of a
 * name must be found by following its chain back. After RULER's {@code vt}, asked the other way
 * round: RULER gives the value and wants the names, which a model fed its own answers can list by
 * single look-ups; from name to value every hop is needed at once.
 *
 * <pre>
 * length 21, words 4, names 6, values 3, chains 1, hops 2, queries 2
 * words 0 … 3, names 4 … 9, values 10 … 12, let 13, ask 14; a = 7, b = 4, c = 9
 *
 *           fill  let  a 12   fill   let  b  a  fill  let  c  b fill ask  c ask  b
 * inputs    2  3  13  7 12  0  1  2  13  4  7  3  0  13  9  4   1  14  9  14  4
 * targets   ·  ·   ·  ·  ·  ·  ·  ·   ·  ·  ·  ·  ·   ·  ·  ·   ·   · 12   · 12
 * lookups                                                              3      2
 * distance                                                            15     17
 * </pre>
 *
 * The distance runs to the chain's first assignment, the farthest that is needed; {@code pairs}
 * counts all assignments. Values may repeat across chains.
 */
public final class VariableTracking implements Task {
  /**
   * The filler, the chains in it and their alphabet.
   *
   * @param length L
   * @param words filler ids
   * @param jump probability that the filler leaves its circle
   * @param names name ids, at least chains·(hops + 1)
   * @param values value ids
   * @param chains independent chains; all but the asked ones are distractors
   * @param hops assignments from name to name in each chain, after the one that gives the value
   * @param queries distinct names asked at the end, from all chains alike
   */
  public record Config(
      int length,
      int words,
      double jump,
      int names,
      int values,
      int chains,
      int hops,
      int queries) {
    public Config {
      Check.atLeast(1, words, "words");
      Check.fraction(jump, "jump");
      Check.atLeast(2, values, "values");
      Check.atLeast(1, chains, "chains");
      Check.atLeast(0, hops, "hops");
      Check.that(
          names >= (long) chains * (hops + 1),
          names + " names",
          "expected at least " + (long) chains * (hops + 1) + ", one for each assignment",
          "allow more names");
      Check.that(
          queries >= 1 && queries <= chains * (hops + 1),
          queries + " queries",
          "expected 1 … " + chains * (hops + 1) + ", the names in use",
          "ask for fewer names");
      long needed = 3L * chains * (hops + 1) + 2L * queries;
      Check.that(
          length >= needed,
          "length is " + length,
          "expected at least " + needed + " for the assignments and queries",
          "lengthen the example or shorten the chains");
    }

    int assignments() {
      return chains * (hops + 1);
    }

    int fillers() {
      return length - 3 * assignments() - 2 * queries;
    }

    int let() {
      return words + names + values;
    }

    int ask() {
      return let() + 1;
    }
  }

  private final Config config;

  public VariableTracking(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return "variable-tracking";
  }

  @Override
  public Config config() {
    return config;
  }

  @Override
  public int vocabulary() {
    return config.ask() + 1;
  }

  @Override
  public int length() {
    return config.length;
  }

  @Override
  public void write(Split split, RandomGenerator random, BatchWriter out) {
    int links = config.hops + 1;
    int n = config.assignments();
    // Link k of chain c is names[c·links + k]; link 0 is given the value.
    int[] names = Draw.distinct(random, config.words, config.words + config.names, n);
    int[] values = new int[config.chains];
    int[] roots = new int[config.chains]; // where link 0's name stands
    int[] written = new int[config.chains]; // links so far
    int[] gaps = gaps(random);
    int[] order = order(random);

    Chatter chatter = new Chatter(config.words, config.jump, random);
    int fillersWritten = 0;
    for (int i = 0; i < n; i++) {
      chatter.write(gaps[i] - fillersWritten, random, out);
      fillersWritten = gaps[i];
      int chain = order[i];
      int link = chain * links + written[chain]++;
      out.token(config.let());
      if (link == chain * links) {
        roots[chain] = out.position();
        values[chain] = config.words + config.names + random.nextInt(config.values);
        out.token(names[link]);
        out.token(values[chain]);
      } else {
        out.token(names[link]);
        out.token(names[link - 1]);
      }
    }
    chatter.write(config.fillers() - fillersWritten, random, out);
    for (int link : Draw.distinct(random, 0, n, config.queries)) {
      int chain = link / links;
      out.token(config.ask());
      out.labelled(names[link], values[chain], n, out.position() - roots[chain], link % links + 1);
    }
  }

  /** Fillers before each assignment, ascending: independent uniform depths. */
  private int[] gaps(RandomGenerator random) {
    int[] gaps = new int[config.assignments()];
    for (int i = 0; i < gaps.length; i++) {
      gaps[i] = random.nextInt(config.fillers() + 1);
    }
    Arrays.sort(gaps);
    return gaps;
  }

  /** Which chain each assignment continues: any interleaving is equally likely. */
  private int[] order(RandomGenerator random) {
    int[] order = new int[config.assignments()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i / (config.hops + 1);
    }
    Draw.shuffle(random, order);
    return order;
  }
}
