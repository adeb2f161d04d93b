package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Presets;
import org.bmojo.model.SmallPresets;
import org.jspecify.annotations.Nullable;

/** A model as users name it: a preset, a JSON file with a configuration, or a folder. */
final class ModelArgument {
  /** Of the tokenizer (GPT-NeoX, padded) that the presets from the literature were trained with. */
  private static final int LITERATURE_VOCABULARY = 50_280;

  private static final int BYTES_VOCABULARY = 257;

  private ModelArgument() {}

  /** The configuration called {@code name}; a file says its vocabulary itself. */
  static ModelConfig config(String name, int vocabulary) {
    Path path = Path.of(name);
    if (Files.isDirectory(path)) return Checkpoint.config(path);
    if (Files.exists(path) || name.endsWith(".json")) return ModelJson.read(path);
    return SmallPresets.named(name, vocabulary);
  }

  /** The same with the vocabulary that such a model usually has. */
  static ModelConfig config(String name) {
    boolean small = !Presets.names().contains(name);
    return config(name, small ? BYTES_VOCABULARY : LITERATURE_VOCABULARY);
  }

  /** What the folder called {@code name} says it is; null for anything else. */
  static @Nullable String architecture(String name) {
    Path path = Path.of(name);
    return Files.isDirectory(path) ? Checkpoint.architecture(path) : null;
  }
}
