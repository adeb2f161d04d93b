package org.bmojo.mixer;

import org.bmojo.error.BadInput;

/**
 * Mamba-2's state space: one decay per head, a matrix for a state. The published layer and the one
 * shaped like attention (in which a Transformer's queries, keys and values become C, B and x)
 * differ in these numbers alone.
 *
 * @param heads H
 * @param headDim P, channels of a head
 * @param stateSize N
 * @param inputHeads heads of x; divides H, and each serves H/inputHeads of them
 * @param keyHeads heads of B; divides H
 * @param queryHeads heads of C; divides H
 * @param convolution width of the short convolution over x, B and C, 2 or more
 * @param convolutionBias whether it has a bias
 * @param projectionBias whether in- and out-projection have biases
 * @param normGroups groups of channels that the output's norm treats apart; divides H·P
 * @param normEps added to their mean square
 * @param keyNorm whether B and C are normalised per head in front of the convolution
 * @param ropeBase base of the rotary embedding of B and C; 0 for none
 * @param minStep lower limit of Δ
 * @param maxStep upper limit of Δ; may be infinite
 */
public record Mamba2Config(
    int heads,
    int headDim,
    int stateSize,
    int inputHeads,
    int keyHeads,
    int queryHeads,
    int convolution,
    boolean convolutionBias,
    boolean projectionBias,
    int normGroups,
    double normEps,
    boolean keyNorm,
    double ropeBase,
    double minStep,
    double maxStep)
    implements SsmConfig {
  /** Refuses sizes that make no layer. */
  public Mamba2Config {
    boolean positive = heads > 0 && headDim > 0 && stateSize > 0 && convolution > 1;
    boolean groups =
        inputHeads > 0
            && keyHeads > 0
            && queryHeads > 0
            && heads % inputHeads == 0
            && heads % keyHeads == 0
            && heads % queryHeads == 0;
    if (!positive || !groups) {
      throw new BadInput(
          "mamba2 with %d heads of %d, state %d, %d/%d/%d heads of x, B and C, convolution %d"
              .formatted(heads, headDim, stateSize, inputHeads, keyHeads, queryHeads, convolution),
          "expected positive sizes, heads a multiple of the others, a convolution of 2 or more",
          "correct the configuration");
    }
    long inner = (long) heads * headDim;
    long convolved = (long) inputHeads * headDim + (keyHeads + (long) queryHeads) * stateSize;
    if (Math.max(inner, convolved) > Integer.MAX_VALUE) {
      throw new BadInput(
          "mamba2 with %d channels, %d convolved".formatted(inner, convolved),
          "expected no more than " + Integer.MAX_VALUE,
          "correct the configuration");
    }
    boolean norm = normGroups > 0 && inner % normGroups == 0 && normEps > 0;
    boolean rope = ropeBase == 0 || (ropeBase > 0 && stateSize % 2 == 0);
    if (!norm || !rope || !(minStep >= 0) || !(maxStep > minStep)) {
      throw new BadInput(
          "mamba2 with %d norm groups, eps %s, rope base %s, steps from %s to %s"
              .formatted(normGroups, normEps, ropeBase, minStep, maxStep),
          "expected groups that divide the channels, eps > 0, an even state where there is rope,"
              + " and 0 ≤ minStep < maxStep",
          "correct the configuration");
    }
  }

  /** As published (Dao and Gu 2024): P = 64, N = 128, one group, expand 2. */
  public static Mamba2Config standard(int width) {
    int heads = Math.max(1, 2 * width / 64);
    return new Mamba2Config(
        heads,
        2 * width / heads,
        128,
        heads,
        1,
        1,
        4,
        true,
        false,
        1,
        1e-5,
        false,
        0,
        0,
        Double.POSITIVE_INFINITY);
  }

  /** H·P, channels of the output before its projection. */
  public int inner() {
    return heads * headDim;
  }

  /** Channels of the convolution: x, B and C. */
  public int convolved() {
    return inputHeads * headDim + (keyHeads + queryHeads) * stateSize;
  }

  @Override
  public long stateElements(int width) {
    return (long) inner() * stateSize + (long) convolved() * (convolution - 1) + heads;
  }
}
