package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * Induction heads as in the Mamba paper (<a href="https://arxiv.org/abs/2312.00752">arXiv
 * 2312.00752</a>): random tokens, in which a trigger occurs once; when it comes again at the end,
 * say what followed it. Train at length 256, test up to a million.
 *
 * <pre>
 * vocabulary 16, length 10; tokens 0 … 14, trigger 15
 *
 * inputs     4   0  11  15   7   2  13   7   0  15
 * targets    ·   ·   ·   ·   ·   ·   ·   ·   ·   7
 * distance                                       6
 * </pre>
 */
public final class InductionHeads implements Task {
  /**
   * Sizes.
   *
   * @param vocabulary V: V − 1 is the trigger
   * @param length L ≥ 3
   */
  public record Config(int vocabulary, int length) {
    public Config {
      Check.atLeast(2, vocabulary, "vocabulary");
      Check.atLeast(3, length, "length");
    }
  }

  private final Config config;

  public InductionHeads(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return "induction-heads";
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
    int last = config.length - 1;
    int trigger = config.vocabulary - 1;
    int at = random.nextInt(last - 1);
    int answer = random.nextInt(trigger);
    for (int t = 0; t < last; t++) {
      out.token(t == at ? trigger : t == at + 1 ? answer : random.nextInt(trigger));
    }
    out.labelled(trigger, answer, 1, last - at);
  }
}
