package org.bmojo.generate;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;

/** Temperature, then top-k, then top-p, then a draw from what is left. */
final class RandomSampler implements Sampler {
  private final double temperature;
  private final int topK;
  private final double topP;
  private final SplittableRandom random;

  RandomSampler(double temperature, int topK, double topP, long seed) {
    if (!(temperature >= 0) || temperature > 1e6 || topK < 0 || !(topP > 0 && topP <= 1)) {
      throw new BadInput(
          "temperature %s, top-k %d, top-p %s".formatted(temperature, topK, topP),
          "expected temperature ≥ 0, top-k ≥ 0 and 0 < top-p ≤ 1",
          "Correct the sampling options");
    }
    this.temperature = temperature;
    this.topK = topK;
    this.topP = topP;
    this.random = new SplittableRandom(seed);
  }

  static int likeliest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
    return best;
  }

  @Override
  public int choose(float[] logits) {
    double[] weights = weights(logits);
    boolean all = (topK == 0 || topK >= logits.length) && topP == 1;
    return draw(weights, all ? IntStream.range(0, logits.length).toArray() : top(weights));
  }

  /** e^((logit − max) / temperature): proportional to the probabilities, the likeliest is 1. */
  private double[] weights(float[] logits) {
    double max = logits[likeliest(logits)];
    double[] weights = new double[logits.length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.exp((logits[i] - max) / temperature);
    }
    return weights;
  }

  /** The ids that top-k and top-p leave, at least one. */
  private int[] top(double[] weights) {
    int[] ids = likeliestFirst(weights);
    int count = topK == 0 ? ids.length : Math.min(topK, ids.length);
    double total = 0;
    for (int i = 0; i < count; i++) total += weights[ids[i]];
    double reached = 0;
    int kept = 0;
    while (kept < count && reached < topP * total) reached += weights[ids[kept++]];
    return Arrays.copyOf(ids, kept);
  }

  /** All ids; equally likely ones in their own order. */
  private static int[] likeliestFirst(double[] weights) {
    // Bits of positive floats are ordered like the floats: weight and id sort as one number.
    long[] keys = new long[weights.length];
    for (int i = 0; i < keys.length; i++) {
      long unlikely = Integer.MAX_VALUE - Float.floatToIntBits((float) weights[i]);
      keys[i] = unlikely << 32 | i;
    }
    Arrays.sort(keys);
    return Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
  }

  private int draw(double[] weights, int[] ids) {
    double total = 0;
    for (int id : ids) total += weights[id];
    double left = random.nextDouble() * total;
    int last = ids[0];
    for (int id : ids) {
      if (weights[id] == 0) continue;
      last = id;
      left -= weights[id];
      if (left < 0) break;
    }
    return last; // Where rounding left a remainder, the last that is possible.
  }
}
