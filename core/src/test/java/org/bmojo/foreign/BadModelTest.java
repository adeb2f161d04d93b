package org.bmojo.foreign;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.assertj.core.api.AbstractThrowableAssert;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Folders that are no model, or not one that we compute: each is refused by name. */
class BadModelTest {
  @TempDir Path folder;

  @Test
  void unknownArchitecture() throws IOException {
    refused("llama", c -> c.putArray("architectures").add("RwkvForCausalLM"))
        .hasMessageContaining("RwkvForCausalLM")
        .hasMessageContaining("LlamaForCausalLM");
  }

  @Test
  void unknownSymbol() throws IOException {
    refused("hqwen3_m2", c -> c.put("hybrid_override_pattern", "*-M3"))
        .hasMessageContaining("the symbol M3")
        .hasMessageContaining("BMF");
    refused("hqwen3_m2", c -> c.put("hybrid_override_pattern", "*-M2*"))
        .hasMessageContaining("fused for distillation");
    refused("hqwen3_m2", c -> c.put("hybrid_override_pattern", "*-M2-*"))
        .hasMessageContaining("3 symbols")
        .hasMessageContaining("2 layers");
  }

  @Test
  void infinityWhereNoneCanBe() throws IOException {
    refused("mamba2", c -> c.putArray("time_step_limit").add(0).addObject().put("__float__", "NaN"))
        .hasMessageContaining("time_step_limit");
    refused("llama", c -> c.putObject("rms_norm_eps").put("__float__", "Infinity"))
        .hasMessageContaining("rms_norm_eps")
        .hasMessageContaining("a finite number");
  }

  @Test
  void wrongKindsOfValues() throws IOException {
    refused("llama", c -> c.put("num_hidden_layers", "two")).hasMessageContaining("\"two\"");
    refused("llama", c -> c.put("num_hidden_layers", 2.5)).hasMessageContaining("2.5");
    refused("llama", c -> c.remove("hidden_size")).hasMessageContaining("has no hidden_size");
    refused("llama", c -> c.put("hidden_act", "gelu"))
        .hasMessageContaining("hidden_act")
        .hasMessageContaining("\"silu\"");
    refused("llama", c -> c.putObject("rope_parameters").put("rope_type", "longrope"))
        .hasMessageContaining("longrope")
        .hasMessageContaining("yarn");
  }

  @Test
  void missingExtraAndMisshapenTensors() throws IOException {
    String q = "model.layers.1.self_attn.q_proj.weight";
    refusedWeights("llama", w -> w.remove(q))
        .hasMessageContaining("lacks the tensor " + q)
        .hasMessageContaining("[32, 32]");
    refusedWeights("llama", w -> w.put("model.layers.2.more", one(w)))
        .hasMessageContaining("has the tensor model.layers.2.more");
    refusedWeights("llama", w -> w.put(q, one(w)))
        .hasMessageContaining(q)
        .hasMessageContaining("[32, 32]");
  }

  @Test
  void halfAShardSet() throws IOException {
    copy("llama", c -> {});
    Files.move(
        folder.resolve("model.safetensors"), folder.resolve("model-00001-of-00002.safetensors"));
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        """
        {"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors",
                        "model.norm.weight": "model-00002-of-00002.safetensors"}}
        """);
    refused().hasMessageContaining("model-00002-of-00002.safetensors");
  }

  @Test
  void shardsWithoutTheirIndex() throws IOException {
    copy("llama", c -> {});
    Files.move(
        folder.resolve("model.safetensors"), folder.resolve("model-00001-of-00002.safetensors"));
    refused().hasMessageContaining("model-00001-of-00002.safetensors] without an index");
  }

  @Test
  void shardsOfAnotherExport() throws IOException {
    copy("llama", c -> {});
    Files.move(folder.resolve("model.safetensors"), folder.resolve("a.safetensors"));
    Path index = folder.resolve("model.safetensors.index.json");
    Files.writeString(index, "{\"weight_map\": {\"model.more.weight\": \"a.safetensors\"}}");
    refused().hasMessageContaining("such as model.more.weight");
    Files.writeString(index, "{\"weight_map\": {\"lm_head.weight\": \"a.safetensors\"}}");
    refused().hasMessageContaining("does not list");
  }

  @Test
  void aShardCutShort() throws IOException {
    copy("llama", c -> {});
    Path file = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length - 5));
    refused().hasMessageContaining("model.safetensors");
  }

  /** What was mapped for a model that is then refused is let go of. */
  @Test
  void nothingIsHalfLoaded() throws IOException {
    refusedWeights("hqwen3_bmf_m2", w -> w.put("model.norm.weight", head(w)))
        .hasMessageContaining("model.norm.weight");
    Path maps = Path.of("/proc/self/maps");
    assumeTrue(Files.exists(maps), "only Linux lists what is mapped");
    assertThat(Files.readAllLines(maps)).noneMatch(line -> line.contains(folder.toString()));
    copy("hqwen3_bmf_m2", c -> {});
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.model().parameterCount()).isPositive();
      assertThat(Files.readAllLines(maps)).anyMatch(line -> line.contains(folder.toString()));
    }
    assertThat(Files.readAllLines(maps)).noneMatch(line -> line.contains(folder.toString()));
  }

  @Test
  void headsThatDoNotFit() throws IOException {
    refused("llama", c -> c.put("num_key_value_heads", 3)).hasMessageContaining("multiple");
    refused("mamba2", c -> c.put("n_groups", 3)).hasMessageContaining("multiple");
  }

  @Test
  void aTensorTwice() throws IOException {
    copy("llama", c -> {});
    Path first = folder.resolve("a.safetensors"), second = folder.resolve("b.safetensors");
    Files.move(folder.resolve("model.safetensors"), first);
    Files.copy(first, second);
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        """
        {"weight_map": {"lm_head.weight": "a.safetensors", "model.norm.weight": "b.safetensors"}}
        """);
    refused().hasMessageContaining("expected it once");
  }

  @Test
  void aTokenizerWithoutItsModel() throws IOException {
    copy("llama", c -> {});
    Files.delete(folder.resolve("model.safetensors"));
    Files.writeString(folder.resolve("tokenizer.json"), "{}");
    refused().hasMessageContaining("holds no weights");
    Files.delete(folder.resolve("config.json"));
    refused().hasMessageContaining("holds no model");
  }

  @Test
  void aTokenizerThatIsNone() throws IOException {
    copy("llama", c -> {});
    Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": 1}");
    refused().hasMessageContaining("tokenizer.json");
  }

  private static Tensor head(Map<String, Tensor> weights) {
    return Objects.requireNonNull(weights.get("lm_head.weight"));
  }

  private static Tensor one(Map<String, Tensor> weights) {
    Tensor norm = weights.get("model.norm.weight");
    if (norm == null) throw new AssertionError("no norm");
    return norm;
  }

  private AbstractThrowableAssert<?, ? extends Throwable> refused() {
    return assertThatThrownBy(() -> Checkpoint.open(folder).close()).isInstanceOf(BadInput.class);
  }

  private AbstractThrowableAssert<?, ? extends Throwable> refused(
      String name, Consumer<ObjectNode> change) throws IOException {
    copy(name, change);
    return refused();
  }

  private AbstractThrowableAssert<?, ? extends Throwable> refusedWeights(
      String name, Consumer<Map<String, Tensor>> change) throws IOException {
    copy(name, c -> {});
    Path file = Fixture.of(name).folder().resolve("model.safetensors");
    try (Scope scope = new Scope();
        Safetensors saved = Safetensors.open(file)) {
      Map<String, Tensor> weights = new LinkedHashMap<>();
      for (String tensor : saved.names()) weights.put(tensor, saved.tensor(tensor));
      change.accept(weights);
      Safetensors.write(folder.resolve("model.safetensors"), weights, Map.of());
    }
    return refused();
  }

  private void copy(String name, Consumer<ObjectNode> change) throws IOException {
    Path source = Fixture.of(name).folder();
    ObjectNode config = (ObjectNode) Json.foreignTree(source.resolve("config.json"));
    change.accept(config);
    Files.write(folder.resolve("config.json"), Json.bytes(config));
    Path weights = folder.resolve("model.safetensors");
    Files.deleteIfExists(weights);
    Files.copy(source.resolve("model.safetensors"), weights);
  }
}
