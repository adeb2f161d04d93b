package org.bmojo.model;

import org.bmojo.error.BadInput;
import org.bmojo.mixer.MixerConfig;
import org.jspecify.annotations.Nullable;

/**
 * One block: x += mixer(norm(x)), then x += mlp(norm(x)).
 *
 * @param mixer what carries information between tokens
 * @param mlp inner width of the SwiGLU perceptron, of each where there are several; 0 for none, as
 *     in Mamba
 * @param mlpBias whether its maps have biases
 * @param experts several perceptrons among which each token chooses; null for one
 */
public record BlockConfig(
    MixerConfig mixer, int mlp, boolean mlpBias, @Nullable ExpertsConfig experts) {
  /**
   * How many perceptrons there are.
   *
   * @param count all of them
   * @param chosen those that a token goes through
   * @param renormalised whether the weights of those sum to 1
   */
  public record ExpertsConfig(int count, int chosen, boolean renormalised) {
    /** Refuses a choice of more than there are. */
    public ExpertsConfig {
      if (chosen < 1 || count < chosen) {
        throw new BadInput(
            chosen + " of " + count + " experts",
            "expected at least one, and no more than there are",
            "correct the configuration");
      }
    }
  }

  /** Refuses a negative width, and experts without one. */
  public BlockConfig {
    if (mlp < 0 || (mlp == 0 && experts != null) || (mlpBias && experts != null)) {
      throw new BadInput(
          "mlp %d, bias %s, %s".formatted(mlp, mlpBias, experts),
          "expected 0 or an inner width; experts have one, and no biases",
          "correct the configuration");
    }
  }

  /** With one perceptron without biases, or none. */
  public BlockConfig(MixerConfig mixer, int mlp) {
    this(mixer, mlp, false, null);
  }

  /** This with another mixer. */
  public BlockConfig with(MixerConfig other) {
    return new BlockConfig(other, mlp, mlpBias, experts);
  }
}
