package org.bmojo.surgery;

import org.bmojo.error.BadInput;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/**
 * Another size for the eidetic memory that a model has. No weight knows of it: a model that learnt
 * with little room, and so to choose sharply, may be asked with more, and the other way round.
 */
public final class ResizeEidetic {
  private ResizeEidetic() {}

  /** Whether any layer has eidetic memory. */
  public static boolean remembers(LanguageModel model) {
    return EideticLayers.any(model.config());
  }

  /** The same with room for {@code capacity} tokens in every layer with eidetic memory. */
  public static ModelConfig of(ModelConfig config, int capacity) {
    return EideticLayers.changed(config, memory -> memory.sized(capacity, memory.chunk()));
  }

  /**
   * The same model with room for {@code capacity} tokens in every layer with eidetic memory.
   *
   * @param source keeps its weights, which the result shares
   * @param chunk tokens between refreshes; null for as many as before
   * @throws BadInput if no layer has eidetic memory
   */
  public static Operated to(LanguageModel source, int capacity, @Nullable Integer chunk) {
    if (!remembers(source)) {
      throw new BadInput(
          "a model without eidetic memory", "expected a B'MOJO", "Add eidetic memory first");
    }
    return EideticLayers.changed(
        source, memory -> memory.sized(capacity, chunk == null ? memory.chunk() : chunk));
  }
}
