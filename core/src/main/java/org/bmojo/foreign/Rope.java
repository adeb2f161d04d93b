package org.bmojo.foreign;

import org.bmojo.layer.RopeScaling;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Rotary embedding as configured elsewhere: {@code rope_parameters}, or in older files {@code
 * rope_theta} and {@code rope_scaling}.
 *
 * @param base of the frequencies
 * @param scaling null for none
 */
record Rope(double base, @Nullable RopeScaling scaling) {
  static Rope read(Settings config, double usualBase) {
    boolean modern = config.has("rope_parameters");
    Settings rope = config.part(modern ? "rope_parameters" : "rope_scaling");
    double base = rope.number("rope_theta", config.number("rope_theta", usualBase));
    double part = rope.number("partial_rotary_factor", config.number("partial_rotary_factor", 1));
    if (part != 1) throw config.refused("partial_rotary_factor", "1");
    String kind = rope.text("rope_type", rope.text("type", "default"));
    int trained = config.size("max_position_embeddings", 2048);
    int original =
        rope.size(
            "original_max_position_embeddings",
            config.size("original_max_position_embeddings", trained));
    return new Rope(
        base,
        switch (kind) {
          case "default" -> null;
          case "linear" -> new RopeScaling.Linear(rope.number("factor", 1));
          case "dynamic" -> new RopeScaling.Dynamic(rope.number("factor", 1), trained);
          case "llama3" ->
              new RopeScaling.Llama3(
                  rope.number("factor", 8),
                  rope.number("low_freq_factor", 1),
                  rope.number("high_freq_factor", 4),
                  original);
          case "yarn" -> yarn(rope, trained, original);
          default -> throw rope.refused("rope_type", "default, linear, dynamic, llama3 or yarn");
        });
  }

  private static RopeScaling yarn(Settings rope, int trained, int original) {
    double factor = rope.number("factor", (double) trained / original);
    Double magnitude = rope.optionalNumber("attention_factor");
    Double own = rope.optionalNumber("mscale"), all = rope.optionalNumber("mscale_all_dim");
    if (magnitude == null && own != null && all != null && own != 0 && all != 0) {
      magnitude = growth(factor, own) / growth(factor, all);
    }
    double fast = rope.number("beta_fast", 32), slow = rope.number("beta_slow", 1);
    return new RopeScaling.Yarn(
        factor,
        original,
        fast == 0 ? 32 : fast,
        slow == 0 ? 1 : slow,
        rope.flag("truncate", true),
        magnitude);
  }

  private static double growth(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }

  /** Writes what {@link #read} reads. */
  void write(ObjectNode config) {
    ObjectNode rope = config.putObject("rope_parameters").put("rope_theta", base);
    switch (scaling) {
      case null -> rope.put("rope_type", "default");
      case RopeScaling.Linear s -> rope.put("rope_type", "linear").put("factor", s.factor());
      case RopeScaling.Dynamic s -> {
        rope.put("rope_type", "dynamic").put("factor", s.factor());
        config.put("max_position_embeddings", s.original());
      }
      case RopeScaling.Llama3 s ->
          rope.put("rope_type", "llama3")
              .put("factor", s.factor())
              .put("low_freq_factor", s.low())
              .put("high_freq_factor", s.high())
              .put("original_max_position_embeddings", s.original());
      case RopeScaling.Yarn s -> {
        rope.put("rope_type", "yarn")
            .put("factor", s.factor())
            .put("original_max_position_embeddings", s.original())
            .put("beta_fast", s.fast())
            .put("beta_slow", s.slow())
            .put("truncate", s.truncate());
        if (s.attentionFactor() != null) rope.put("attention_factor", s.attentionFactor());
      }
    }
  }
}
