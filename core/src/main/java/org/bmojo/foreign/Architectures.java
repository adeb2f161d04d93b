package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** All architectures of others that we know. */
public final class Architectures {
  private static final List<Architecture> ALL = all();

  private Architectures() {}

  private static List<Architecture> all() {
    List<Architecture> all = new ArrayList<>();
    for (Transformers.Kind kind : Transformers.Kind.values()) all.add(new Transformers(kind));
    all.add(new Mambas(false));
    all.add(new Mambas(true));
    all.add(new StateSpaces());
    all.add(new Jamba());
    all.add(new Hybrids(Transformers.Kind.QWEN3));
    all.add(new Hybrids(Transformers.Kind.LLAMA));
    all.add(new Hybrids(Transformers.Kind.QWEN2));
    return List.copyOf(all);
  }

  /** Their names. */
  public static List<String> names() {
    return ALL.stream().map(Architecture::name).toList();
  }

  /** The one called {@code name}; null where there is none. */
  public static @Nullable Architecture named(String name) {
    for (Architecture a : ALL) if (a.name().equals(name)) return a;
    return null;
  }

  /** What a {@code config.json} says it is; empty where it does not say. */
  public static String nameIn(JsonNode config) {
    JsonNode names = config.path("architectures");
    if (names.size() == 1) return names.path(0).asString("");
    boolean authors = names.isMissingNode() && config.has("d_model") && config.has("n_layer");
    return authors ? StateSpaces.NAME : "";
  }

  /**
   * An architecture and the {@code config.json} in it.
   *
   * @param translation of {@code config}; its model is the one that was to be written
   */
  public record Writing(
      Architecture architecture, ObjectNode config, Architecture.Translation translation) {}

  /** How {@code model} is kept elsewhere; null where no architecture can express it. */
  public static @Nullable Writing writing(ModelConfig model) {
    return writing(model, "");
  }

  /**
   * The same, by the architecture called {@code preferred} if it can express the model: a model
   * that several can express goes back to where it came from.
   */
  public static @Nullable Writing writing(ModelConfig model, String preferred) {
    Writing found = null;
    for (Architecture a : ALL) {
      boolean wanted = a.name().equals(preferred);
      if (found != null && !wanted) continue;
      ObjectNode config = a.write(model);
      if (config == null) continue;
      Architecture.Translation back = readBack(a, config);
      if (back == null || !back.model().equals(model)) continue;
      found = new Writing(a, config, back);
      if (wanted) break;
    }
    return found;
  }

  private static Architecture.@Nullable Translation readBack(Architecture a, ObjectNode config) {
    try {
      return a.read(new Settings(config, a.name()));
    } catch (BadInput inexpressible) {
      return null;
    }
  }
}
