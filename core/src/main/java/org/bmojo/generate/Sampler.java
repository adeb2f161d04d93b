package org.bmojo.generate;

/** Chooses the next token. */
@FunctionalInterface
public interface Sampler {
  /**
   * Chooses.
   *
   * @param logits one a token of the vocabulary; may be overwritten
   * @return the chosen id
   */
  int choose(float[] logits);

  /** Always the likeliest token; of several the first. */
  static Sampler greedy() {
    return RandomSampler.GREEDY;
  }

  /**
   * By chance, reproducibly.
   *
   * @param temperature divides the logits: below 1 bolder in what is likely, 0 is {@link #greedy}
   * @param topK only the likeliest {@code topK}; 0 for all
   * @param topP only the likeliest that together reach this probability; 1 for all
   * @param seed the same seed gives the same choices
   */
  static Sampler random(double temperature, int topK, double topP, long seed) {
    return of(Decoding.random(temperature, topK, topP, seed));
  }

  /** As {@code decoding} says, but for its penalties, which need the text: {@link Penalties}. */
  static Sampler of(Decoding decoding) {
    return decoding.temperature() == 0 ? greedy() : new RandomSampler(decoding);
  }
}
