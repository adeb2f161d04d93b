package org.bmojo.mixer;

import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * How a layer that is built like attention makes queries, keys and values for its E heads: E is the
 * largest of the three counts, and the others' heads are repeated.
 *
 * @param queryHeads heads of the query projection
 * @param keyHeads heads of the key projection
 * @param valueHeads heads of the value projection
 * @param headDim D
 * @param convolution width of the short convolutions, 2 or more; 0 for none
 * @param convolutionBias whether they have biases
 * @param valueConvolution whether values go through one too; where not, they are not activated
 * @param gated whether the output is multiplied by a gate
 * @param normEps of the output's norm
 * @param expansionRank rank of a learnt addition to repeated keys and values; null for none
 * @param learntRepeat whether the repetition itself is learnt; needs an expansion
 */
public record DeltaHeads(
    int queryHeads,
    int keyHeads,
    int valueHeads,
    int headDim,
    int convolution,
    boolean convolutionBias,
    boolean valueConvolution,
    boolean gated,
    double normEps,
    @Nullable Integer expansionRank,
    boolean learntRepeat) {
  /** Refuses sizes that do not fit together. */
  public DeltaHeads {
    boolean positive = queryHeads > 0 && keyHeads > 0 && valueHeads > 0 && headDim > 0;
    int most = Math.max(queryHeads, Math.max(keyHeads, valueHeads));
    boolean fits =
        positive && most % queryHeads == 0 && most % keyHeads == 0 && most % valueHeads == 0;
    if (!fits || convolution == 1 || convolution < 0 || !(normEps > 0)) {
      throw new BadInput(
          "%d, %d and %d heads of queries, keys and values, each %d wide; convolution %d, eps %s"
              .formatted(queryHeads, keyHeads, valueHeads, headDim, convolution, normEps),
          "expected positive sizes, the largest count a multiple of the others,"
              + " a convolution of 0 or 2 and more, and a positive eps",
          "correct the configuration");
    }
    if ((expansionRank != null && expansionRank < 1) || (learntRepeat && expansionRank == null)) {
      throw new BadInput(
          "expansion of rank " + expansionRank + ", learnt repeat " + learntRepeat,
          "expected a positive rank, or none and no learnt repeat",
          "correct the configuration");
    }
  }

  /** The usual: one convolution of 4 each, gate, plain repetition. */
  public static DeltaHeads of(int heads, int keyHeads, int headDim, double normEps) {
    return new DeltaHeads(
        heads, keyHeads, keyHeads, headDim, 4, false, true, true, normEps, null, false);
  }

  /** E. */
  public int heads() {
    return Math.max(queryHeads, Math.max(keyHeads, valueHeads));
  }

  /** Inputs that the convolutions remember. */
  long convolutionElements() {
    if (convolution == 0) return 0;
    int counted = queryHeads + keyHeads + (valueConvolution ? valueHeads : 0);
    return (long) counted * headDim * (convolution - 1);
  }
}
