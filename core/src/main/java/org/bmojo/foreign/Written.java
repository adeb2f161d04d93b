package org.bmojo.foreign;

import org.bmojo.io.Json;
import tools.jackson.databind.node.ObjectNode;

/** What every {@code config.json} of ours begins with. */
final class Written {
  /** Nothing of ours depends on a longest position; other programs want to hear of one. */
  static final int POSITIONS = 131_072;

  /**
   * Our own key, which other programs ignore: rotary angles in float64, in which our models are
   * trained. Without it the model, read back, would differ in its last digits.
   */
  static final String WIDE_ANGLES = "bmojo_wide_rope_angles";

  private Written() {}

  static ObjectNode start(Architecture architecture, String type) {
    ObjectNode config = Json.mapper().createObjectNode();
    config.putArray("architectures").add(architecture.name());
    config.put("model_type", type);
    return config;
  }
}
