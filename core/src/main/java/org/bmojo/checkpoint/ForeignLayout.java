package org.bmojo.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.foreign.Architecture;
import org.bmojo.foreign.Architectures;
import org.bmojo.foreign.Renaming;
import org.bmojo.foreign.Settings;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.AtomicFolder;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.tape.Parameter;
import org.bmojo.text.Tokenizer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Models of others: a {@code config.json} of their making, and weights in one or several
 * safetensors files. The weights are the files' own pages, read-only, until something is to be
 * written to them; a model larger than memory opens.
 */
final class ForeignLayout implements Layout {
  private static final String CURE =
      "Use the weights and the config.json of one and the same model";

  /** Convolutions are kept with an axis of length 1 that ours lack. */
  private static final String CONVOLUTION = "conv1d.weight";

  @Override
  public boolean reads(String architecture) {
    return Architectures.named(architecture) != null;
  }

  @Override
  public ModelConfig config(Path folder, JsonNode config) {
    return translation(folder, config).model();
  }

  private static Architecture.Translation translation(Path folder, JsonNode config) {
    Architecture architecture = Architectures.named(Architectures.nameIn(config));
    if (architecture == null) throw new AssertionError(config);
    return architecture.read(new Settings(config, folder.resolve(Checkpoint.CONFIG).toString()));
  }

  @Override
  public Checkpoint read(Path folder, JsonNode config) {
    Architecture.Translation translation = translation(folder, config);
    try (Safetensors file = Safetensors.open(folder)) {
      @Nullable Tokenizer tokenizer = null;
      if (Files.exists(folder.resolve(Tokenizer.FILE))) {
        tokenizer = Tokenizer.load(folder);
        tokenizer.requireFits(translation.model().vocabulary());
      }
      LanguageModel model = model(folder, file, translation);
      return new Checkpoint(folder, model, tokenizer, null, null);
    }
  }

  private static LanguageModel model(
      Path folder, Safetensors file, Architecture.Translation translation) {
    ModelConfig config = translation.model();
    LanguageModel model = LanguageModel.shapes(config, type(file, translation.names()));
    try (Scope scope = new Scope()) {
      Map<String, Parameter> parameters = model.parameters();
      Map<String, String> stored = stored(folder, file, parameters, translation);
      parameters.forEach((name, p) -> {
        String theirs = stored.get(name);
        if (theirs == null) throw new AssertionError(name);
        Tensor tensor = file.tensor(theirs);
        ScalarType wanted = p.value().scalar_type();
        boolean same = tensor.scalar_type().intern() == wanted.intern();
        p.borrow((same ? tensor : tensor.to(wanted)).view(Shapes.of(p.value())));
      });
      return model;
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  /** The type of the embedding; tensors of other types are converted. */
  private static ScalarType type(Safetensors file, Renaming names) {
    for (String name : names.theirs("embed_tokens.weight")) {
      if (!file.names().contains(name)) continue;
      Dtype type = file.entry(name).dtype();
      if (Set.of(Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16).contains(type)) return type.torch();
      throw new BadInput(
          "tensor " + name + " has elements of type " + type,
          "expected F32, F16 or BF16",
          "Convert the weights where they were made");
    }
    return ScalarType.Float; // It is missing, and will be named among all that is.
  }

  /** Where each parameter is; refuses a file that has not exactly the tensors expected. */
  private static Map<String, String> stored(
      Path folder,
      Safetensors file,
      Map<String, Parameter> parameters,
      Architecture.Translation translation) {
    Map<String, String> stored = new LinkedHashMap<>();
    Set<String> extra = new LinkedHashSet<>(file.names());
    Map<String, String> missing = new LinkedHashMap<>();
    parameters.forEach((name, p) -> {
      List<String> theirs = translation.names().theirs(name);
      String shape = Arrays.toString(theirShape(name, p));
      for (String candidate : theirs) {
        if (!file.names().contains(candidate)) continue;
        requireShape(folder, file.entry(candidate), name, p);
        stored.put(name, candidate);
        extra.remove(candidate);
        return;
      }
      missing.put(theirs.getFirst(), shape);
    });
    if (translation.model().tied()) extra.remove("lm_head.weight"); // The embedding, again.
    extra.removeIf(name -> name.endsWith("rotary_emb.inv_freq")); // Computed, not learnt.
    if (!missing.isEmpty()) {
      var first = missing.entrySet().iterator().next();
      throw new BadInput(
          folder + " lacks the tensor " + first.getKey() + others(missing.size()),
          "expected it with shape " + first.getValue() + ", as config.json implies",
          CURE);
    }
    if (!extra.isEmpty()) {
      throw new BadInput(
          folder + " has the tensor " + extra.iterator().next() + others(extra.size()),
          "expected only the " + stored.size() + " that config.json implies",
          CURE);
    }
    return stored;
  }

  private static String others(int count) {
    return count == 1 ? "" : " and " + (count - 1) + " more";
  }

  private static void requireShape(Path folder, TensorEntry entry, String name, Parameter p) {
    long[] wanted = theirShape(name, p);
    boolean floats = Set.of(Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16).contains(entry.dtype());
    if (Arrays.equals(entry.sizes(), wanted) && floats) return;
    throw new BadInput(
        folder + ": tensor " + entry.name() + " is " + entry.dtype() + " " + entry.shape(),
        "expected floating-point numbers in the shape "
            + Arrays.toString(wanted)
            + ", as config.json implies",
        CURE);
  }

  private static long[] theirShape(String name, Parameter p) {
    long[] shape = Shapes.of(p.value());
    return name.endsWith(CONVOLUTION) ? new long[] {shape[0], 1, shape[1]} : shape;
  }

  static String save(
      Path folder, LanguageModel model, @Nullable Tokenizer tokenizer, @Nullable JsonNode base) {
    model.requireWhole("saving");
    String preferred = base == null ? "" : Architectures.nameIn(base);
    Architectures.Writing writing = Architectures.writing(model.config(), preferred);
    if (writing == null) {
      throw new BadInput(
          "a model that is like none of " + String.join(", ", Architectures.names()),
          "expected one that one of them can express",
          "Save it in our own layout, which tools/python reads as well");
    }
    if (tokenizer != null) tokenizer.requireFits(model.config().vocabulary());
    ObjectNode config = Json.mapper().createObjectNode();
    if (base != null) {
      base.properties().forEach(e -> config.set(e.getKey(), e.getValue()));
      config.remove(List.of("rope_theta", "rope_scaling", "quantization_config", "auto_map"));
    }
    config.setAll(writing.config());
    if (base != null && base.path("max_position_embeddings").isNumber()) {
      keepLength(config, base, writing);
    }
    AtomicFolder.replace(
        folder,
        partial -> {
          try (Scope scope = new Scope()) {
            Map<String, Tensor> weights = weights(model, writing.translation().names());
            config.put("dtype", typeName(embedding(model.parameters()).scalar_type()));
            Safetensors.write(
                partial.resolve("model.safetensors"), weights, Map.of("format", "pt"));
          }
          if (tokenizer != null) tokenizer.save(partial);
          AtomicFile.replace(partial.resolve(Checkpoint.CONFIG), Json.bytes(config));
        });
    return writing.architecture().name();
  }

  /** The length that the model was said to be good for, unless ours means something. */
  private static void keepLength(ObjectNode config, JsonNode base, Architectures.Writing writing) {
    String key = "max_position_embeddings";
    JsonNode ours = config.path(key);
    config.set(key, base.path(key));
    ModelConfig model = writing.translation().model();
    if (!writing.architecture().read(new Settings(config, key)).model().equals(model)) {
      config.set(key, ours);
    }
  }

  private static Map<String, Tensor> weights(LanguageModel model, Renaming names) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    Map<String, Parameter> parameters = model.parameters();
    ScalarType type = embedding(parameters).scalar_type();
    parameters.forEach((name, p) -> {
      Tensor value = narrowed(p.master(), type);
      weights.put(names.theirs(name).getFirst(), value.view(theirShape(name, p)));
    });
    return weights;
  }

  private static Tensor embedding(Map<String, Parameter> parameters) {
    Parameter p = parameters.get("embed_tokens.weight");
    if (p == null) throw new AssertionError("a model without an embedding");
    return p.master();
  }

  /** In the model's type, unless digits would be lost: decays, kept wider while they are used. */
  private static Tensor narrowed(Tensor value, ScalarType type) {
    if (value.scalar_type().intern() == type.intern()) return value.contiguous();
    Tensor narrow = value.to(type);
    boolean same = narrow.to(value.scalar_type()).equal(value);
    return (same ? narrow : value).contiguous();
  }

  private static String typeName(ScalarType type) {
    return switch (type.intern()) {
      case BFloat16 -> "bfloat16";
      case Half -> "float16";
      case Double -> "float64";
      default -> "float32";
    };
  }
}
