package org.bmojo.generate;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Temperature, then top-k, top-p and min-p, then a draw from what is left. */
final class RandomSampler implements Sampler {
  /** Tokens less likely than the likeliest by this factor are looked at only if needed. */
  private static final double[] FLOORS = {1e-3, 1e-6, 0};

  /** The one that always takes the likeliest, so that it is known when seen. */
  static final Sampler GREEDY = RandomSampler::likeliest;

  private final Decoding decoding;
  private final SplittableRandom random;

  RandomSampler(Decoding decoding) {
    this.decoding = decoding;
    this.random = new SplittableRandom(decoding.seed());
  }

  static int likeliest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
    return best;
  }

  @Override
  public int choose(float[] logits) {
    double[] weights = weights(logits);
    int[] ids = candidates(weights);
    return draw(weights, ids);
  }

  /** e^((logit − max) / temperature): proportional to the probabilities, the likeliest is 1. */
  private double[] weights(float[] logits) {
    double max = logits[likeliest(logits)];
    double[] weights = new double[logits.length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.exp((logits[i] - max) / decoding.temperature());
    }
    return weights;
  }

  /** The ids that top-k, top-p and min-p leave, at least one. */
  private int[] candidates(double[] weights) {
    int topK = decoding.topK();
    boolean unsorted = (topK == 0 || topK >= weights.length) && decoding.topP() == 1;
    if (unsorted) return atLeast(weights, decoding.minP());
    int most = topK == 0 ? weights.length : Math.min(topK, weights.length);
    // Top-p is a share of what top-k leaves. Sorting a whole vocabulary takes milliseconds, and
    // the likeliest few hundred nearly always suffice: they come first in any case.
    double all = 0;
    if (topK == 0) for (double w : weights) all += w;
    for (double floor : FLOORS) {
      int[] ids = likeliestFirst(weights, atLeast(weights, Math.max(floor, decoding.minP())));
      boolean complete = floor <= decoding.minP() || ids.length == weights.length;
      if (!complete && topK > 0 && ids.length < most) continue;
      int[] kept = top(weights, ids, most, all);
      if (complete || kept.length < ids.length) return kept;
    }
    throw new AssertionError("the last floor leaves every id");
  }

  /** The first of {@code ids}, at most {@code most}, that reach top-p. */
  private int[] top(double[] weights, int[] ids, int most, double all) {
    int count = Math.min(most, ids.length);
    double total = all;
    if (decoding.topK() > 0) {
      total = 0;
      for (int i = 0; i < count; i++) total += weights[ids[i]];
    }
    double reached = 0;
    int kept = 0;
    while (kept < count && reached < decoding.topP() * total) reached += weights[ids[kept++]];
    return Arrays.copyOf(ids, kept);
  }

  private static int[] atLeast(double[] weights, double least) {
    int[] ids = new int[weights.length];
    int count = 0;
    for (int i = 0; i < weights.length; i++) if (weights[i] >= least) ids[count++] = i;
    return Arrays.copyOf(ids, count);
  }

  /** Equally likely ones in their own order. */
  private static int[] likeliestFirst(double[] weights, int[] ids) {
    // Bits of positive floats are ordered like the floats: weight and id sort as one number.
    long[] keys = new long[ids.length];
    for (int i = 0; i < keys.length; i++) {
      long unlikely = Integer.MAX_VALUE - Float.floatToIntBits((float) weights[ids[i]]);
      keys[i] = unlikely << 32 | ids[i];
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
