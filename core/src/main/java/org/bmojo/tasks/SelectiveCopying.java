package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * MAD's selective copying: repeat the content tokens in order, leaving out the blanks strewn
 * between them.
 *
 * <pre>
 * vocabulary 10, length 14, tokens 3; content 0 … 7, blank 8, copy 9
 *
 * inputs     8   8   5   8   0   8   8   8   8   5   9   8   8   8
 * targets    ·   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·   5   0   5
 * distance                                              10   9   5
 * </pre>
 *
 * Every blank falls, independently, before one of the content tokens; none after the last. The
 * distance counts as if the token before the content token were its key.
 */
public final class SelectiveCopying implements Task {
  /**
   * Sizes and how much to copy.
   *
   * @param vocabulary V: content 0 … V − 3, blank V − 2, copy token V − 1
   * @param length L ≥ 2·tokens + 1
   * @param tokens content tokens to be copied
   */
  public record Config(int vocabulary, int length, int tokens) {
    public Config {
      Check.atLeast(3, vocabulary, "vocabulary");
      Check.atLeast(1, tokens, "tokens");
      Check.that(
          length >= 2L * tokens + 1,
          "length is " + length,
          "expected room for " + tokens + " tokens twice and the copy token",
          "lengthen the example or copy fewer tokens");
    }
  }

  private final Config config;

  public SelectiveCopying(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return "selective-copying";
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
    int m = config.tokens;
    int blank = config.vocabulary - 2;
    int[] blanksBefore = new int[m];
    for (int i = config.length - 2 * m - 1; i > 0; i--) {
      blanksBefore[random.nextInt(m)]++;
    }
    int[] content = new int[m];
    int[] shown = new int[m];
    for (int i = 0; i < m; i++) {
      for (int b = 0; b < blanksBefore[i]; b++) {
        out.token(blank);
      }
      content[i] = random.nextInt(config.vocabulary - 2);
      shown[i] = out.position();
      out.token(content[i]);
    }
    out.token(config.vocabulary - 1);
    for (int i = 0; i < m; i++) {
      out.labelled(blank, content[i], m, out.position() - shown[i] + 1);
    }
  }
}
