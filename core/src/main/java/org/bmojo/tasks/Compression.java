package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * MAD's compression: an autoencoder must put random tokens into the vector of the last position.
 *
 * <pre>
 * vocabulary 16, length 6; content 0 … 14, aggregation token 15
 *
 * inputs     7   0  12   3   7  15
 * targets    7   0  12   3   7  15
 * distance   5   4   3   2   1   0     from the token to the aggregation token
 * </pre>
 *
 * Not a language-modelling task: a causal model that sees position t would only have to copy it.
 * The protocol keeps nothing but the last position's output and decodes every position from it.
 */
public final class Compression implements Task {
  /**
   * Sizes.
   *
   * @param vocabulary V: content 0 … V − 2, aggregation token V − 1
   * @param length L
   */
  public record Config(int vocabulary, int length) {
    public Config {
      Check.atLeast(2, vocabulary, "vocabulary");
      Check.atLeast(2, length, "length");
    }
  }

  private final Config config;

  public Compression(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return "compression";
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
    for (int t = 0; t <= last; t++) {
      int id = t < last ? random.nextInt(config.vocabulary - 1) : config.vocabulary - 1;
      out.labelled(id, id, last, last - t);
    }
  }
}
