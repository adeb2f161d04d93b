package org.bmojo.server;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON has null, and OpenAI's clients expect it in places. */
final class Nulls {
  private Nulls() {}

  /** The same map, for those who only write it down. */
  @SuppressWarnings({"NullAway", "unchecked"})
  static Map<String, Object> allowed(Map<String, @Nullable Object> map) {
    return (Map<String, Object>) (Map<?, ?>) map;
  }
}
