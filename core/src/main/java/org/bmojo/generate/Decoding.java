package org.bmojo.generate;

import org.bmojo.error.BadInput;

/**
 * How next tokens are chosen. First the logits of tokens that stand in the text already are
 * lowered, then they are divided by the temperature, then the unlikely ones are left out.
 *
 * @param temperature below 1 bolder in what is likely; 0 always takes the likeliest
 * @param topK only the likeliest {@code topK}; 0 for all
 * @param topP only the likeliest that together reach this probability; 1 for all
 * @param minP only those with at least this share of the likeliest one's probability; 0 for all
 * @param repetition what logits of tokens in prompt or answer are divided by, multiplied where
 *     negative (Keskar et al. 2019); 1 for nothing
 * @param presence subtracted from the logits of tokens in the answer; 0 for nothing
 * @param frequency subtracted as often as a token stands in the answer; 0 for nothing
 * @param seed the same seed gives the same choices
 */
public record Decoding(
    double temperature,
    int topK,
    double topP,
    double minP,
    double repetition,
    double presence,
    double frequency,
    long seed) {
  /** Refuses numbers that mean nothing. */
  public Decoding {
    within("temperature", temperature, 0, 1e6);
    within("top-k", topK, 0, Integer.MAX_VALUE);
    within("top-p", topP, Double.MIN_VALUE, 1);
    within("min-p", minP, 0, 1);
    within("repetition penalty", repetition, 0.01, 100);
    within("presence penalty", presence, -100, 100);
    within("frequency penalty", frequency, -100, 100);
  }

  private static void within(String name, double value, double least, double most) {
    if (value >= least && value <= most) return;
    throw new BadInput(
        name + " " + value,
        least == Double.MIN_VALUE
            ? "expected more than 0 and at most " + most
            : "expected " + least + " to " + most,
        "Correct the sampling options");
  }

  /** Always the likeliest token. */
  public static Decoding greedy() {
    return random(0, 0, 1, 0);
  }

  /** Without min-p and penalties. */
  public static Decoding random(double temperature, int topK, double topP, long seed) {
    return new Decoding(temperature, topK, topP, 0, 1, 0, 0, seed);
  }

  /** The same but for min-p. */
  public Decoding withMinP(double share) {
    return new Decoding(temperature, topK, topP, share, repetition, presence, frequency, seed);
  }

  /** The same but for the penalties. */
  public Decoding withPenalties(double repetition, double presence, double frequency) {
    return new Decoding(temperature, topK, topP, minP, repetition, presence, frequency, seed);
  }

  /** Whether any logit is changed because of the text so far. */
  boolean penalises() {
    return repetition != 1 || presence != 0 || frequency != 0;
  }
}
