package org.bmojo.mixer;

import org.bmojo.error.BadInput;

/**
 * Mamba's selective state space (S6).
 *
 * @param stateSize N, states per channel
 * @param convolution width of the short convolution, 2 or more
 * @param expand channels per model width: I = expand · d
 * @param stepRank rank of the step-size projection; 0 stands for ⌈d/16⌉
 * @param convolutionBias whether the short convolution has a bias
 * @param projectionBias whether in- and out-projection have biases
 * @param selectionNormEps eps of norms of step size, B and C, as in Jamba; 0 for no such norms
 */
public record MambaConfig(
    int stateSize,
    int convolution,
    int expand,
    int stepRank,
    boolean convolutionBias,
    boolean projectionBias,
    double selectionNormEps)
    implements SsmConfig {
  /** Refuses sizes that make no layer. */
  public MambaConfig {
    if (stateSize < 1
        || convolution < 2
        || expand < 1
        || stepRank < 0
        || !(selectionNormEps >= 0)) {
      throw new BadInput(
          "mamba with stateSize "
              + stateSize
              + ", convolution "
              + convolution
              + ", expand "
              + expand
              + ", stepRank "
              + stepRank
              + ", selectionNormEps "
              + selectionNormEps,
          "expected at least 1, 2, 1, 0 and 0",
          "correct the configuration");
    }
  }

  /** With the published layer's biases (the convolution's alone) and without norms. */
  public MambaConfig(int stateSize, int convolution, int expand, int stepRank) {
    this(stateSize, convolution, expand, stepRank, true, false, 0);
  }

  /** N = 16, convolution 4, expand 2, rank ⌈d/16⌉: the published defaults. */
  public static MambaConfig standard() {
    return new MambaConfig(16, 4, 2, 0);
  }

  /** The step-size rank for model width d. */
  public int stepRank(int width) {
    return stepRank > 0 ? stepRank : Math.max(1, (width + 15) / 16);
  }

  @Override
  public long stateElements(int width) {
    return (long) expand * width * (stateSize + convolution - 1);
  }
}
