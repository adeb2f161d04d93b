package org.bmojo.tasks;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Passkey, and with several needles multi-key retrieval: needles lie at random depths in
 * predictable filler, one is asked for at the end. After RULER (<a
 * href="https://arxiv.org/abs/2404.06654">arXiv 2404.06654</a>), in tokens instead of sentences.
 *
 * <pre>
 * length 20, words 6, keys 4, digits 10, valueTokens 3, needles 1
 * words 0 … 5, keys 6 … 9, digits 10 … 19, marker 20
 *
 *           filler        mark key ⟵ value ⟶ filler           mark key value
 * inputs    2  3  4  5  0  20   7  14 11 18   1  2  3  4  5  0  20   7  14  11
 * targets   ·  ·  ·  ·  ·   ·   ·   ·  ·  ·   ·  ·  ·  ·  ·  ·   ·  14  11  18
 * distance                                                          11  11  11
 * </pre>
 *
 * Needles have distinct keys; digits repeat freely. Depths are uniform and independent, so needles
 * may touch. Other needles are distractors: memory should not be spent on them, but cannot know.
 */
public final class Passkey implements Task {
  /** Depth of the asked needle is drawn uniformly. */
  public static final double ANY_DEPTH = -1;

  /**
   * The same for every second example; in the others it is the distance's scale that is uniform: ⌊n
   * ^ u⌋ − 1 fillers of n − 1 stand behind the needle. Uniform depths leave fewer than three there
   * in only 3 of n examples, too few for a model to learn what a convolution of four tokens sees
   * where the question follows at once; here it is about one in ten.
   */
  public static final double EVERY_SCALE = -2;

  /**
   * The filler, the needles in it and their alphabet.
   *
   * @param length L
   * @param words filler ids
   * @param jump probability that the filler leaves its circle
   * @param keys key ids, at least as many as needles
   * @param digits ids that values are made of
   * @param valueTokens m, labelled positions per example
   * @param needles how many hide in the filler; one is asked for
   * @param depth where the asked needle stands, 0 (start) … 1 (end), {@link #ANY_DEPTH} or {@link
   *     #EVERY_SCALE}
   */
  public record Config(
      int length,
      int words,
      double jump,
      int keys,
      int digits,
      int valueTokens,
      int needles,
      double depth) {
    public Config {
      Check.atLeast(1, words, "words");
      Check.fraction(jump, "jump");
      Check.atLeast(2, digits, "digits");
      Check.atLeast(1, valueTokens, "valueTokens");
      Check.atLeast(1, needles, "needles");
      Check.atLeast(needles, keys, "keys");
      long needed = (long) needles * (valueTokens + 2) + valueTokens + 1;
      Check.that(
          length >= needed,
          "length is " + length,
          "expected at least " + needed + " for " + needles + " needles and the question",
          "lengthen the example or hide fewer needles");
      Check.that(
          depth == ANY_DEPTH || depth == EVERY_SCALE || (depth >= 0 && depth <= 1),
          "depth is " + depth,
          "expected 0 … 1, ANY_DEPTH or EVERY_SCALE",
          "give the depth as a share of the filler");
    }

    int fillers() {
      return length - needles * (valueTokens + 2) - valueTokens - 1;
    }

    int marker() {
      return words + keys + digits;
    }
  }

  private final Config config;

  public Passkey(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return config.needles == 1 ? "passkey" : "multi-key";
  }

  @Override
  public Config config() {
    return config;
  }

  @Override
  public int vocabulary() {
    return config.marker() + 1;
  }

  @Override
  public int length() {
    return config.length;
  }

  @Override
  public void write(Split split, RandomGenerator random, BatchWriter out) {
    int n = config.needles;
    int m = config.valueTokens;
    int[] keys = Draw.distinct(random, config.words, config.words + config.keys, n);
    int asked = random.nextInt(n);
    int[] value = new int[m]; // of the asked needle
    int askedAt = 0;

    Chatter chatter = new Chatter(config.words, config.jump, random);
    int fillersWritten = 0;
    for (long place : places(asked, random)) {
      int before = (int) (place >>> 32);
      int needle = (int) place;
      chatter.write(before - fillersWritten, random, out);
      fillersWritten = before;
      out.token(config.marker());
      if (needle == asked) {
        askedAt = out.position();
      }
      out.token(keys[needle]);
      for (int i = 0; i < m; i++) {
        int digit = config.words + config.keys + random.nextInt(config.digits);
        if (needle == asked) {
          value[i] = digit;
        }
        out.token(digit);
      }
    }
    chatter.write(config.fillers() - fillersWritten, random, out);
    out.token(config.marker());
    int distance = out.position() - askedAt;
    for (int i = 0; i < m; i++) {
      out.labelled(i == 0 ? keys[asked] : value[i - 1], value[i], n, distance);
    }
  }

  /**
   * Needles in order of depth: fillers before it in the upper half of the long, its number below.
   */
  private long[] places(int asked, RandomGenerator random) {
    int fillers = config.fillers();
    long[] places = new long[config.needles];
    for (int needle = 0; needle < places.length; needle++) {
      long before = random.nextInt(fillers + 1);
      if (needle == asked && config.depth >= 0) {
        before = Math.round(config.depth * fillers);
      }
      if (needle == asked && config.depth == EVERY_SCALE && random.nextBoolean()) {
        before = fillers - behind(fillers, random);
      }
      places[needle] = before << 32 | needle;
    }
    Arrays.sort(places);
    return places;
  }

  /** Fillers behind a needle at a distance of any scale, 0 … {@code fillers}. */
  private static long behind(int fillers, RandomGenerator random) {
    return (long) Math.pow(fillers + 1, random.nextDouble()) - 1;
  }
}
