package org.bmojo.model;

import org.bmojo.error.BadInput;
import org.bmojo.mixer.MixerConfig;

/**
 * One block: x += mixer(norm(x)), then x += mlp(norm(x)).
 *
 * @param mixer what carries information between tokens
 * @param mlp inner width of the SwiGLU perceptron; 0 for none, as in Mamba
 */
public record BlockConfig(MixerConfig mixer, int mlp) {
  /** Refuses a negative width. */
  public BlockConfig {
    if (mlp < 0) {
      throw new BadInput("mlp " + mlp, "expected 0 or an inner width", "correct the configuration");
    }
  }
}
