package org.bmojo.checkpoint;

import java.nio.file.Path;
import org.bmojo.model.ModelConfig;
import tools.jackson.databind.JsonNode;

/**
 * A way of keeping a model in a folder, told by {@code architectures} in its {@code config.json}.
 * {@link Checkpoint#open} asks each of {@link Checkpoint#LAYOUTS}.
 */
interface Layout {
  /** Whether folders of this architecture, such as {@code BMojoForCausalLM}, are kept this way. */
  boolean reads(String architecture);

  /** The model's configuration, without its weights. */
  ModelConfig config(Path folder, JsonNode config);

  /** The whole checkpoint; nothing stays behind if it is refused. */
  Checkpoint read(Path folder, JsonNode config);
}
