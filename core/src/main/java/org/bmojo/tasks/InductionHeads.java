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
 *
 * At every scale, half of the examples end early: their question comes after n of the L tokens, the
 * logarithm of n being uniform, and random tokens follow it, which nobody asks about.
 *
 * <pre>
 * inputs     4   0  11  15   7   2  15   8   0   3
 * targets    ·   ·   ·   ·   ·   ·   7   ·   ·   ·
 * distance                           3
 * </pre>
 */
public final class InductionHeads implements Task {
  /**
   * Sizes.
   *
   * @param vocabulary V: V − 1 is the trigger
   * @param length L ≥ 3
   * @param everyScale whether every second example ends early: 2 + ⌊(L − 1)^u⌋ tokens, 3 … L, u
   *     uniform. A model that is only ever asked after L tokens need not learn a rule that holds at
   *     other lengths
   */
  public record Config(int vocabulary, int length, boolean everyScale) {
    public Config {
      Check.atLeast(2, vocabulary, "vocabulary");
      Check.atLeast(3, length, "length");
    }

    /** The published task, always asked after {@code length} tokens. */
    public Config(int vocabulary, int length) {
      this(vocabulary, length, false);
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
    boolean early = config.everyScale && random.nextBoolean();
    int last = (early ? anyScale(random) : config.length) - 1;
    int trigger = config.vocabulary - 1;
    int at = random.nextInt(last - 1);
    int answer = random.nextInt(trigger);
    for (int t = 0; t < last; t++) {
      out.token(t == at ? trigger : t == at + 1 ? answer : random.nextInt(trigger));
    }
    out.labelled(trigger, answer, 1, last - at);
    while (out.remaining() > 0) out.token(random.nextInt(trigger));
  }

  /** A length, 3 … L, small ones as likely as large ones on a logarithmic scale. */
  private int anyScale(RandomGenerator random) {
    return 2 + (int) Math.pow(config.length - 1, random.nextDouble());
  }
}
