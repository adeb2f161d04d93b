package org.bmojo.model;

import java.util.Collections;
import java.util.List;
import org.bmojo.error.BadInput;

/**
 * A whole model.
 *
 * @param vocabulary V, ids are 0 … V−1
 * @param width d
 * @param normEps added to the mean square in every RMSNorm of the blocks
 * @param tied whether the output head is the embedding
 * @param layers the blocks, first to last; any mixture is legal
 */
public record ModelConfig(
    int vocabulary, int width, double normEps, boolean tied, List<BlockConfig> layers) {
  /** Refuses sizes that make no model. */
  public ModelConfig {
    layers = List.copyOf(layers);
    if (vocabulary < 1 || width < 1 || layers.isEmpty() || !(normEps > 0)) {
      throw new BadInput(
          "a model with vocabulary %d, width %d, %d layers and normEps %s"
              .formatted(vocabulary, width, layers.size(), normEps),
          "expected at least one of each and a positive normEps",
          "correct the configuration");
    }
  }

  /** {@code count} equal layers, tied head, norms' eps 1e-5. */
  public static ModelConfig uniform(int vocabulary, int width, int count, BlockConfig layer) {
    return new ModelConfig(vocabulary, width, 1e-5, true, Collections.nCopies(count, layer));
  }

  /** This with other layers. */
  public ModelConfig with(List<BlockConfig> others) {
    return new ModelConfig(vocabulary, width, normEps, tied, others);
  }
}
