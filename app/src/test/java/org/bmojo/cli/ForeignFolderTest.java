package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.foreign.Architecture;
import org.bmojo.foreign.Architectures;
import org.bmojo.foreign.Settings;
import org.bmojo.io.Json;
import org.bmojo.model.LanguageModel;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Commands on a folder made elsewhere: a config.json and weights, no tokenizer, nothing of ours.
 */
class ForeignFolderTest {
  private static final String QWEN3 =
      """
      {"architectures": ["Qwen3ForCausalLM"], "vocab_size": 63, "hidden_size": 24,
       "intermediate_size": 20, "num_hidden_layers": 4, "num_attention_heads": 6,
       "num_key_value_heads": 2, "head_dim": 8, "rope_theta": 10000}
      """;

  @TempDir Path home = Path.of("");
  private Path qwen = Path.of("");
  private Path ids = Path.of("");

  @BeforeEach
  void made() throws IOException {
    JsonNode config = Json.mapper().readTree(QWEN3);
    Architecture architecture = Objects.requireNonNull(Architectures.named("Qwen3ForCausalLM"));
    qwen = home.resolve("qwen");
    try (LanguageModel fresh =
        LanguageModel.create(architecture.read(new Settings(config, "test")).model(), 1)) {
      Checkpoint.export(qwen, fresh, null, config);
    }
    ids = home.resolve("ids.txt");
    Files.writeString(ids, "1 2 3 62 5 6 7\n0 0 0 0 0 0 9\n");
  }

  @Test
  void everyCommandThatTakesIds() {
    Path out = home.resolve("out.safetensors");
    Cli logits = Cli.run("logits", qwen, "--ids", ids, "--out", out, "--json");
    assertThat(logits.exitCode()).as(logits.err()).isZero();
    assertThat(logits.json().get("vocabulary").asInt()).isEqualTo(63);
    Cli generated = Cli.run("generate", qwen, "--ids", ids, "--greedy", "-n", 3, "--json");
    assertThat(generated.exitCode()).as(generated.err()).isZero();
    assertThat(generated.json().get("sequences").get(1).size()).isEqualTo(10);
    Cli text = Cli.run("generate", qwen, "hello");
    assertThat(text.exitCode()).isEqualTo(2);
    assertThat(text.err()).contains("has no tokenizer", "takes ids");
  }

  @Test
  void info() {
    Cli text = Cli.run("info", qwen);
    assertThat(text.exitCode()).as(text.err()).isZero();
    assertThat(text.out())
        .contains("Qwen3ForCausalLM", "4 × 6 heads over 2 of 8", "1,048,576 tokens", "head");
    JsonNode json = Cli.run("info", qwen, "--json").json();
    assertThat(json.get("architecture").asString()).isEqualTo("Qwen3ForCausalLM");
    long attention = 4 * (2 * 6 * 8 * 24 + 2 * 2 * 8 * 24 + 2 * 8);
    assertThat(json.get("parts").get("attention").asLong()).isEqualTo(attention);
    JsonNode longest = json.get("states").get(2);
    long cache = 4L * 2 * 2 * 8 * 4 * (1 << 20);
    assertThat(longest.get("bytes").asLong()).isEqualTo(cache);
    assertThat(longest.get("transformerBytes").asLong()).isEqualTo(cache);
  }

  /** From a Transformer to a B'MOJO, each step saying what is to be trained. */
  @Test
  void surgery() {
    Path hybrid = home.resolve("hybrid"), remembering = home.resolve("remembering");
    Cli primed =
        Cli.run(
            "convert", "--from", qwen, "--to", hybrid, "--pattern", "*-BMF-M2-GKA", "--window", 3);
    assertThat(primed.exitCode()).as(primed.err()).isZero();
    assertThat(primed.out())
        .contains("HybridQwen3ForCausalLM", "fresh, and to be trained:")
        .contains("layers.1.mixer.ssm.A_log", "layers.2.mixer.ssm.A_log")
        .contains("layers.2.mixer.ssm.in_proj.weight (the last 6 rows: step sizes)")
        .doesNotContain("layers.0");
    Cli widened =
        Cli.run("convert", "--from", hybrid, "--to", remembering, "--eidetic", 4, "--chunk", 2);
    assertThat(widened.exitCode()).as(widened.err()).isZero();
    assertThat(widened.out())
        .contains("BMojoForCausalLM", "layers.1.mixer.innovation.down.weight")
        .doesNotContain("A_log", "layers.0", "layers.2");
    for (Path folder : new Path[] {hybrid, remembering}) {
      assertThat(Cli.run("info", folder).exitCode()).isZero();
      Cli generated = Cli.run("generate", folder, "--ids", ids, "--greedy", "-n", 3, "--json");
      assertThat(generated.exitCode()).as(generated.err()).isZero();
      JsonNode states = Cli.run("info", folder, "--json").json().get("states");
      assertThat(states.get(2).get("bytes").asLong())
          .isLessThan(states.get(2).get("transformerBytes").asLong());
    }
    JsonNode json =
        Cli.run("convert", "--from", hybrid, "--to", home.resolve("more"), "--eidetic", 4, "--json")
            .json();
    assertThat(json.get("fresh").size()).isEqualTo(2);
  }

  @Test
  void surgeryThatCannotBeIsRefusedAndWritesNothing() {
    Path to = home.resolve("to");
    Cli unknown = Cli.run("convert", "--from", qwen, "--to", to, "--pattern", "*-BMF-M3-*");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("the symbol M3", "BMF");
    Cli few = Cli.run("convert", "--from", qwen, "--to", to, "--pattern", "*-BMF");
    assertThat(few.exitCode()).isEqualTo(2);
    assertThat(few.err()).contains("2 symbols", "4 layers");
    Cli none = Cli.run("convert", "--from", qwen, "--to", to, "--eidetic", 4);
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.err()).contains("without fading memory");
    Cli onto = Cli.run("convert", "--from", qwen, "--to", qwen);
    assertThat(onto.exitCode()).isEqualTo(2);
    assertThat(to).doesNotExist();
  }
}
