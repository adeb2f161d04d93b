package org.bmojo.foreign;

import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** One value of {@code architectures}: how such a model is configured and its tensors are named. */
public interface Architecture {
  /** As {@code config.json} says it. */
  String name();

  /**
   * What a {@code config.json} means.
   *
   * @throws org.bmojo.error.BadInput naming what is missing, or cannot be computed here
   */
  Translation read(Settings config);

  /**
   * A {@code config.json} that {@link #read} understands as this configuration, or null where this
   * architecture cannot express it. It may try and be wrong: {@link Architectures#writing} reads
   * what was written and compares.
   */
  @Nullable ObjectNode write(ModelConfig config);

  /**
   * What was read.
   *
   * @param model the configuration
   * @param names of its parameters
   */
  record Translation(ModelConfig model, Renaming names) {}
}
