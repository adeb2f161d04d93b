package org.bmojo.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.AtomicFolder;
import org.bmojo.io.Json;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Optimizer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Our own layout: see {@link Checkpoint} for the files. */
final class BMojoLayout implements Layout {
  static final String ARCHITECTURE = "BMojoForCausalLM";

  private static final int FORMAT = 1;
  private static final String WEIGHTS = "model.safetensors";
  private static final String MOMENTS = "optimizer.safetensors";
  private static final String TRAINING = "training.json";
  private static final Set<String> KEYS =
      Set.of("architectures", "model_type", "format", "tokenizer", "model");
  private static final Set<Dtype> FLOATS = Set.of(Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16);

  @Override
  public boolean reads(String architecture) {
    return architecture.equals(ARCHITECTURE);
  }

  static void save(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      @Nullable Optimizer optimizer,
      @Nullable TrainingState training) {
    model.requireWhole("saving");
    if (tokenizer != null) tokenizer.requireFits(model.config().vocabulary());
    requireOurs(folder);
    AtomicFolder.replace(
        folder,
        partial -> {
          Map<String, Tensor> weights = new LinkedHashMap<>();
          model.parameters().forEach((name, p) -> weights.put(name, p.master()));
          Safetensors.write(partial.resolve(WEIGHTS), weights, Map.of("format", "pt"));
          if (tokenizer != null) tokenizer.save(partial);
          if (optimizer != null && training != null) {
            Safetensors.write(partial.resolve(MOMENTS), optimizer.state(), Map.of());
            AtomicFile.replace(partial.resolve(TRAINING), Json.bytes(training));
          }
          AtomicFile.replace(
              partial.resolve(Checkpoint.CONFIG), Json.bytes(config(model.config(), tokenizer)));
          Checksums.write(partial);
        });
  }

  /** The whole folder is replaced: it must not be one with somebody's other files. */
  private static void requireOurs(Path folder) {
    String[] files = folder.toFile().list();
    if (files == null || files.length == 0 || List.of(files).contains(Checkpoint.CONFIG)) return;
    throw new BadInput(
        folder + " holds other files, such as " + files[0],
        "expected a model's folder, an empty one or none",
        "Choose another name");
  }

  private static ObjectNode config(ModelConfig model, @Nullable Tokenizer tokenizer) {
    ObjectNode config = Json.mapper().createObjectNode();
    config.putArray("architectures").add(ARCHITECTURE);
    config.put("model_type", "bmojo").put("format", FORMAT);
    config.put("tokenizer", tokenizer == null ? null : hex(tokenizer));
    config.set("model", ModelJson.write(model));
    return config;
  }

  @Override
  public ModelConfig config(Path folder, JsonNode config) {
    Path file = folder.resolve(Checkpoint.CONFIG);
    int format = config.path("format").asInt(0);
    if (format != FORMAT) {
      throw new BadInput(
          file + " has format " + config.path("format"),
          "expected " + FORMAT,
          format > FORMAT ? "Update this program" : "Copy the folder anew");
    }
    Set<String> unknown = new TreeSet<>(config.propertyNames());
    unknown.removeAll(KEYS);
    if (!unknown.isEmpty()) {
      throw new BadInput(
          file + " has the unknown keys " + unknown, "expected " + KEYS, "Remove them");
    }
    return ModelJson.read(config.path("model"), file.toString());
  }

  @Override
  public Checkpoint read(Path folder, JsonNode config) {
    ModelConfig modelConfig =
        config(folder, config); // first: a newer format may differ in all else
    Checksums checksums = Checksums.read(folder);
    checksums.verified(Checkpoint.CONFIG);
    @Nullable Tokenizer tokenizer = tokenizer(folder, config, modelConfig, checksums);
    @Nullable TrainingState training = null;
    Checkpoint.@Nullable Moments moments = null;
    if (Files.exists(folder.resolve(TRAINING))) {
      training = Json.read(checksums.verified(TRAINING), TrainingState.class);
      moments = (optimizer, step) -> restore(checksums.verified(MOMENTS), optimizer, step);
    }
    LanguageModel model = weights(checksums.verified(WEIGHTS), modelConfig);
    return new Checkpoint(folder, model, tokenizer, training, moments);
  }

  private static @Nullable Tokenizer tokenizer(
      Path folder, JsonNode config, ModelConfig model, Checksums checksums) {
    if (Files.notExists(folder.resolve(Tokenizer.FILE))) return null;
    Tokenizer tokenizer = Tokenizer.load(folder);
    JsonNode fingerprint = config.path("tokenizer");
    if (fingerprint.isString() && !fingerprint.stringValue().equals(hex(tokenizer))) {
      throw new BadInput(
          folder.resolve(Tokenizer.FILE) + " (" + tokenizer.name() + ") is another tokenizer",
          "expected the one with fingerprint " + fingerprint.stringValue(),
          "Copy the tokenizer.json that was saved with the model");
    }
    checksums.verified(Tokenizer.FILE);
    tokenizer.requireFits(model.vocabulary());
    return tokenizer;
  }

  private static String hex(Tokenizer tokenizer) {
    return "%016x".formatted(tokenizer.fingerprint());
  }

  private static LanguageModel weights(Path file, ModelConfig config) {
    try (Safetensors saved = Safetensors.open(file)) {
      LanguageModel model = LanguageModel.create(config, 0, type(file, saved));
      try {
        Map<String, Tensor> targets = new LinkedHashMap<>();
        model.parameters().forEach((name, p) -> targets.put(name, p.master()));
        copy(file, saved, targets);
        return model;
      } catch (RuntimeException e) {
        model.close();
        throw e;
      }
    }
  }

  private static ScalarType type(Path file, Safetensors saved) {
    // Decays are float32 in narrower models; the embedding is of the model's own type.
    List<Dtype> types = saved.entries().stream().map(TensorEntry::dtype).distinct().toList();
    boolean embeds = saved.names().contains("embed_tokens.weight");
    if (FLOATS.containsAll(types)) {
      if (embeds) return saved.entry("embed_tokens.weight").dtype().torch();
      return types.isEmpty() ? ScalarType.Float : types.getFirst().torch();
    }
    throw new BadInput(
        file + " has elements of the types " + types,
        "expected F64, F32, F16 or BF16",
        "Save the model anew");
  }

  private static void restore(Path file, Optimizer optimizer, long step) {
    try (Safetensors saved = Safetensors.open(file)) {
      copy(file, saved, optimizer.state());
    }
    optimizer.resumeAt(step);
  }

  /** Fills every target; the file must have these tensors and no others. */
  private static void copy(Path file, Safetensors saved, Map<String, Tensor> targets) {
    String cure = "Use the weights and the config.json of one and the same save";
    Set<String> missing = new TreeSet<>(targets.keySet());
    missing.removeAll(saved.names());
    Set<String> extra = new TreeSet<>(saved.names());
    extra.removeAll(targets.keySet());
    if (!missing.isEmpty() || !extra.isEmpty()) {
      String lacks = missing.isEmpty() ? "" : " lacks the tensors " + missing;
      String has = extra.isEmpty() ? "" : " has " + extra + " besides";
      throw new BadInput(
          file + lacks + (missing.isEmpty() || extra.isEmpty() ? "" : " and") + has,
          "expected exactly the " + targets.size() + " tensors that config.json implies",
          cure);
    }
    targets.forEach((name, target) -> {
      if (Arrays.equals(saved.entry(name).sizes(), target.shape())) return;
      throw new BadInput(
          file + ": tensor " + name + " has shape " + saved.entry(name).shape(),
          "expected " + Arrays.toString(target.shape()) + " as config.json implies",
          cure);
    });
    targets.forEach((name, target) -> saved.copyInto(name, target));
  }
}
