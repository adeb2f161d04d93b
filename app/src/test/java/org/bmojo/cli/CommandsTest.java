package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.SmallPresets;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The commands that use a model, on one that has not learnt anything. */
class CommandsTest {
  private static final ModelConfig CONFIG = SmallPresets.named("bmojo-tiny", 257);
  private static final int[][] ROWS = {
    {1, 2, 3, 256, 5, 6, 7, 8, 9, 10, 11, 12, 13}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}
  };

  @TempDir Path home = Path.of("");
  private Path model = Path.of("");
  private Path ids = Path.of("");

  @BeforeEach
  void saved() throws IOException {
    model = home.resolve("model");
    try (LanguageModel fresh = LanguageModel.create(CONFIG, 1)) {
      Checkpoint.save(model, fresh, new ByteTokenizer());
    }
    ids = home.resolve("ids.txt");
    Files.writeString(ids, "1 2 3 256 5 6 7 8 9 10 11 12 13\n\n 0 0 0 0 0 0 0 0 0  0\t0 0 9 \n");
  }

  @Test
  void logitsAreThoseOfTheModelAlsoWithoutTokenizer() throws IOException {
    Files.delete(model.resolve("tokenizer.json"));
    Path out = home.resolve("out.safetensors");
    Cli cli = Cli.run("logits", model, "--ids", ids, "--out", out, "--json");
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    assertThat(cli.json().get("length").asInt()).isEqualTo(13);
    try (Scope _ = new Scope();
        Safetensors file = Safetensors.open(out);
        LanguageModel same = LanguageModel.create(CONFIG, 1)) {
      assertThat(file.names()).containsExactly("logits");
      Tensor logits = file.tensor("logits"); // (2, 13, 257)
      assertThat(logits.shape()).containsExactly(2, 13, 257);
      double worst = logits.sub(same.logits(Ids.tensor(ROWS), null)).abs().max().item_double();
      assertThat(worst).isLessThan(1e-5);
    }
  }

  @Test
  void greedyIdsStartWithThePromptAndAreTheSameEachTime() throws IOException {
    Files.delete(model.resolve("tokenizer.json"));
    Object[] command = {"generate", model, "--ids", ids, "--greedy", "-n", 5, "--json"};
    Cli cli = Cli.run(command);
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    JsonNode sequences = cli.json().get("sequences");
    assertThat(sequences.size()).isEqualTo(2);
    for (int r = 0; r < 2; r++) {
      assertThat(sequences.get(r).size()).isEqualTo(18);
      for (int t = 0; t < 13; t++)
        assertThat(sequences.get(r).get(t).asInt()).isEqualTo(ROWS[r][t]);
    }
    assertThat(Cli.run(command).out()).isEqualTo(cli.out());
    Cli text = Cli.run("generate", model, "--ids", ids, "--greedy", "-n", 1);
    assertThat(text.out().lines()).hasSize(2).allMatch(l -> l.split(" ").length == 14);
  }

  @Test
  void textIsContinued() {
    Cli one = Cli.run("generate", model, "hello", "-n", 13, "--seed", 3);
    assertThat(one.exitCode()).as(one.err()).isZero();
    assertThat(one.out()).startsWith("hello");
    JsonNode json = Cli.run("generate", model, "hello", "-n", 13, "--seed", 3, "--json").json();
    assertThat(json.get("prompt").asString()).isEqualTo("hello");
    assertThat(one.out()).isEqualTo("hello" + json.get("text").asString() + System.lineSeparator());
    assertThat(Cli.run("generate", model, "hello", "-n", 13, "--seed", 4).out())
        .isNotEqualTo(one.out());
    assertThat(Cli.run("generate", model, "-n", 3).exitCode()).isZero();
  }

  @Test
  void aTextIsScored() throws IOException {
    Path text = Cli.text(home.resolve("cats.txt"));
    Cli cli = Cli.run("eval", model, text, "--tokens", 600, "--json");
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    assertThat(cli.json().get("tokens").asInt()).isEqualTo(600);
    assertThat(cli.json().get("bytes").asInt()).isEqualTo(600);
    // It knows nothing: about log2(257) bits.
    assertThat(cli.json().get("bitsPerByte").asDouble()).isBetween(7.5, 8.6);
    assertRefused(Cli.run("eval", model), "tokens", "does not exist");
  }

  @ParameterizedTest
  @ValueSource(strings = {"bmojo-130m", "transformer-tiny", "mamba-small", "hybrid-medium"})
  void presetsAreDescribed(String name) {
    Cli text = Cli.run("info", name);
    assertThat(text.exitCode()).as(text.err()).isZero();
    assertThat(text.out()).contains("parameters", "1,048,576 tokens", "embedding");
    JsonNode json = Cli.run("info", name, "--json").json();
    long sum = 0;
    for (JsonNode part : json.get("parts")) sum += part.asLong();
    assertThat(json.get("parameters").asLong()).isEqualTo(sum);
    assertThat(json.get("states").size()).isEqualTo(3);
  }

  @Test
  void oneLayerRunsInEachForm() throws IOException {
    Path out = home.resolve("out.safetensors");
    Cli missing = Cli.run("layer", home.resolve("none"), "--config", ids, "--out", out);
    assertThat(missing.exitCode()).isEqualTo(2);
    assertThat(Cli.run().out()).doesNotContain("layer");
    assertThat(out).doesNotExist();
  }

  static List<Object[]> badIds() {
    return List.of(
        new Object[] {"1 2 x", "line 1: \"x\" is no id"},
        new Object[] {"1 2 3.5", "\"3.5\""},
        new Object[] {"1 99999999999", "\"99999999999\""},
        new Object[] {"1 2\n3", "sequences of 2 and of 1 ids"},
        new Object[] {"", "holds no ids"},
        new Object[] {"1 257", "token id 257; expected 0 to 256"},
        new Object[] {"1 -1", "token id -1; expected 0 to 256"});
  }

  @ParameterizedTest
  @MethodSource("badIds")
  void badIdsAreRefusedByEveryCommandThatTakesThem(String content, String words)
      throws IOException {
    Files.writeString(ids, content);
    Path out = home.resolve("out.safetensors");
    assertRefused(Cli.run("generate", model, "--ids", ids), words);
    assertRefused(Cli.run("logits", model, "--ids", ids, "--out", out), words);
    assertThat(out).doesNotExist();
  }

  @Test
  void idsThatAreNoTextAreRefused() throws IOException {
    Files.write(ids, new byte[] {(byte) 0xff, 0, (byte) 0xfe});
    assertRefused(Cli.run("generate", model, "--ids", ids), "ids.txt", "not UTF-8");
  }

  @ParameterizedTest
  @CsvSource({
    "--temperature, -1, temperature",
    "--top-p, 0, top-p",
    "--top-k, -3, top-k",
    "-n, -1, -1 tokens"
  })
  void nonsenseSamplingIsRefused(String option, String value, String words) {
    assertRefused(Cli.run("generate", model, "hello", option, value), words);
  }

  @Test
  void whatCannotGoTogetherIsRefused() {
    assertRefused(Cli.run("generate", model, "hello", "--ids", ids), "one of the two");
    assertRefused(Cli.run("generate", home.resolve("none"), "hello"), "none is no folder");
    assertRefused(Cli.run("info", "bmojo-9000b"), "bmojo-130m");
  }

  @Test
  void textNeedsATokenizer() throws IOException {
    Files.delete(model.resolve("tokenizer.json"));
    assertRefused(Cli.run("generate", model, "hello"), "has no tokenizer", "takes ids");
  }

  @Test
  void aDamagedModelIsRefused() throws IOException {
    byte[] weights = Files.readAllBytes(model.resolve("model.safetensors"));
    Files.write(model.resolve("model.safetensors"), Arrays.copyOf(weights, weights.length - 1));
    assertRefused(Cli.run("generate", model, "hello"), "model.safetensors", "changed since");
  }

  private static void assertRefused(Cli cli, String... words) {
    assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err()).contains(words).hasLineCount(1);
    assertThat(cli.out()).isEmpty();
  }
}
