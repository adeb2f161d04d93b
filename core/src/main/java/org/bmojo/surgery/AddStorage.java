package org.bmojo.surgery;

import org.bmojo.error.BadInput;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.LanguageModel;

/**
 * Memory in storage for a model with eidetic memory. It has no weights of its own: what comes back
 * is seen as eidetic keys are, which the model knows.
 */
public final class AddStorage {
  private AddStorage() {}

  /**
   * The same model with {@code storage} in every layer with eidetic memory, in place of what was
   * there.
   *
   * @param source keeps its weights, which the result shares
   * @throws BadInput if no layer has eidetic memory, or its positions are absolute
   */
  public static Operated to(LanguageModel source, StorageConfig storage) {
    if (!EideticLayers.any(source.config())) {
      throw new BadInput(
          "a model without eidetic memory",
          "expected a B'MOJO, whose eidetic memory decides what goes to storage",
          "Add eidetic memory first");
    }
    return EideticLayers.changed(source, memory -> memory.with(storage));
  }
}
