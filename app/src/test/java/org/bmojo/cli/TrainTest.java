package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TrainTest {
  private static final Object[] SIZES = {
    "--model",
    "bmojo-tiny",
    "--batch",
    2,
    "--context",
    33,
    "--steps",
    20,
    "--lr",
    0.01,
    "--eval-tokens",
    500
  };

  @TempDir Path home = Path.of("");
  private Path text = Path.of("");

  @BeforeEach
  void text() throws IOException {
    text = Cli.text(home.resolve("cats.txt"));
  }

  /** 20 updates at once are 7, then 13 with other habits of saving: bit for bit the same losses. */
  @Test
  void aResumedRunTakesTheSameSteps() throws IOException {
    Path whole = home.resolve("whole");
    Path parts = home.resolve("parts");
    Cli first = train(text, "--out", whole, "--json");
    assertThat(first.exitCode()).as(first.err()).isZero();
    assertThat(first.json().get("finished").asBoolean()).isTrue();
    assertThat(first.json().get("bitsPerByte").asDouble()).isBetween(0.1, 8.0);

    Cli stopped = train(text, "--out", parts, "--stop-after", 7, "--save-every", 3, "--json");
    assertThat(stopped.json().get("finished").asBoolean()).isFalse();
    assertThat(stopped.json().get("steps").asInt()).isEqualTo(7);
    Cli resumed = Cli.run("train", "--resume", "--out", parts, "--json");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.json().get("steps").asInt()).isEqualTo(20);

    assertThat(losses(parts)).hasSize(20).isEqualTo(losses(whole));
    assertThat(losses(whole).getLast()).isLessThan(losses(whole).getFirst());
    assertThat(Files.readAllBytes(parts.resolve("model/model.safetensors")))
        .isEqualTo(Files.readAllBytes(whole.resolve("model/model.safetensors")));

    Cli again = Cli.run("train", "--resume", "--out", parts);
    assertThat(again.exitCode()).isZero();
    assertThat(losses(parts)).hasSize(20);
  }

  /** As a kill leaves it: metrics beyond the checkpoint, and half a line. */
  @Test
  void metricsOfLostStepsAreWrittenOnce() throws IOException {
    Path run = home.resolve("run");
    train(text, "--out", run, "--stop-after", 4, "--save-every", 0, "--eval-every", 0);
    List<Double> before = losses(run);
    Files.writeString(
        run.resolve("metrics.jsonl"),
        Files.readString(run.resolve("metrics.jsonl"))
            + "{\"event\":\"step\",\"step\":5,\"loss\":1.0}\n{\"event\":\"st");
    Cli.run("train", "--resume", "--out", run, "--stop-after", 6, "--eval-every", 0);
    List<Double> after = losses(run);
    assertThat(after).hasSize(6).startsWith(before.toArray(new Double[0]));
    assertThat(after.get(4)).isNotEqualTo(1.0);
  }

  @Test
  void evaluationsAndSamplesGoToTheMetrics() throws IOException {
    Path run = home.resolve("run");
    train(text, "--out", run, "--stop-after", 4, "--eval-every", 2, "--sample-every", 3);
    List<JsonNode> events = events(run);
    assertThat(events.stream().filter(e -> is(e, "evaluation"))).hasSize(2);
    assertThat(events.stream().filter(e -> is(e, "sample"))).hasSize(1);
    assertThat(events.stream().filter(e -> is(e, "step")))
        .hasSize(4)
        .allMatch(e -> e.get("tokens").asInt() == 66 && e.get("gradientNorm").asDouble() > 0);
  }

  @ParameterizedTest
  @CsvSource({
    "--batch, 3, expected 2",
    "--lr, 0.5, expected 0.01",
    "--seed, 13, expected 1",
    "--steps, 5, expected 20",
    "--schedule, wsd, expected COSINE",
    "--model, mamba-tiny, the run's config.json",
    "--held-out, 0.5, expected 0.05"
  })
  void aResumedRunKeepsItsSettings(String option, String value, String words) throws IOException {
    Path run = home.resolve("run");
    train(text, "--out", run, "--stop-after", 1, "--eval-every", 0);
    Cli refused = Cli.run("train", "--resume", "--out", run, option, value);
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err())
        .contains(option, words, "Leave it out, or start a new run")
        .hasLineCount(1);
    assertThat(losses(run)).hasSize(1);
  }

  @Test
  void resumeBeginsWhereThereIsNothingYet() throws IOException {
    Path run = home.resolve("run");
    assertThat(train(text, "--out", run, "--resume", "--stop-after", 1).exitCode()).isZero();
    assertThat(losses(run)).hasSize(1);
    Cli nothing = Cli.run("train", "--resume", "--out", home.resolve("nothing"));
    assertThat(nothing.exitCode()).isEqualTo(2);
    assertThat(nothing.err()).contains("no run in", "Name a file or folder, or jdk");
  }

  @Test
  void aRunIsNotOverwritten() throws IOException {
    Path run = home.resolve("run");
    train(text, "--out", run, "--stop-after", 1, "--eval-every", 0);
    Cli refused = train(text, "--out", run);
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains("holds a run already", "--resume");

    Files.writeString(Files.createDirectory(home.resolve("mine")).resolve("tokens"), "my own");
    Cli mine = train(text, "--out", home.resolve("mine"));
    assertThat(mine.exitCode()).isEqualTo(2);
    assertThat(mine.err()).contains("holds tokens", "Choose another --out");
    assertThat(home.resolve("mine/tokens")).hasContent("my own");
  }

  @Test
  void textThatIsNoneIsRefusedBeforeAnythingIsThere() throws IOException {
    Path empty = Files.createFile(home.resolve("empty.txt"));
    Path binary = Files.write(home.resolve("a.bin"), new byte[] {65, 0, 66});
    Path little = Files.writeString(home.resolve("little.txt"), "little");
    Path run = home.resolve("run");
    assertRefused(train(empty, "--out", run), "empty.txt holds no text");
    assertRefused(train(binary, "--out", run), "a.bin is not text: byte 1");
    assertRefused(train(home.resolve("none"), "--out", run), "none does not exist");
    assertRefused(train(little, "--out", run, "--held-out", 0), "7 tokens", "at least 34");
    assertThat(run.resolve("model")).doesNotExist();
    // What was mended is trained on in the same place.
    assertThat(train(text, "--out", run, "--stop-after", 1).exitCode()).isZero();
  }

  @Test
  void nonsenseIsRefused() throws IOException {
    Path run = home.resolve("run");
    assertRefused(train(text, "--out", run, "--model", "bmojo-huge"), "bmojo-tiny", "config.json");
    assertRefused(train(text, "--out", run, "--batch", 0), "at least 1");
    assertRefused(train(text, "--out", run, "--held-out", 1), "share");
    assertRefused(train(text, "--out", run, "--tokenizer", home.resolve("t.json")), "t.json");
    assertRefused(train(text, "--out", text), "is a file");
    Path config = home.resolve("c.json");
    String json =
        Cli.run("info", "mamba-tiny", "--vocabulary", 63, "--json").json().get("config").toString();
    Files.writeString(config, json);
    assertRefused(train(text, "--out", run, "--model", config), "has 257 ids, the model 63");
    Files.writeString(config, json.replace("\"tied\"", "\"tide\":1,\"tied\""));
    assertRefused(train(text, "--out", run, "--model", config), "c.json", "tide");
    assertThat(run.resolve("model")).doesNotExist();
  }

  @Test
  void anEditedConfigurationTrains() throws IOException {
    Path config = home.resolve("c.json");
    String json = Cli.run("info", "bmojo-tiny", "--json").json().get("config").toString();
    Files.writeString(config, json.replace("\"repeat\":2", "\"repeat\":1"));
    Path run = home.resolve("run");
    Cli trained =
        Cli.run(
            "train",
            text,
            "--out",
            run,
            "--model",
            config,
            "--batch",
            1,
            "--context",
            13,
            "--steps",
            1);
    assertThat(trained.exitCode()).as(trained.err()).isZero();
    assertThat(Cli.run("info", run).out()).contains("1 × ");
  }

  private static void assertRefused(Cli cli, String... words) {
    assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err()).contains(words);
    assertThat(cli.err().lines().filter(l -> l.startsWith("bmojo train: "))).hasSize(1);
  }

  private static Cli train(Path data, Object... more) {
    List<Object> args = new ArrayList<>(List.of("train", data));
    for (int i = 0; i < SIZES.length; i += 2) {
      if (!List.of(more).contains(SIZES[i])) args.addAll(List.of(SIZES[i], SIZES[i + 1]));
    }
    args.addAll(List.of(more));
    return Cli.run(args.toArray());
  }

  private static boolean is(JsonNode event, String name) {
    return event.get("event").asString().equals(name);
  }

  private static List<JsonNode> events(Path run) throws IOException {
    JsonMapper json = JsonMapper.builder().build();
    return Files.readAllLines(run.resolve("metrics.jsonl")).stream().map(json::readTree).toList();
  }

  static List<Double> losses(Path run) throws IOException {
    return events(run).stream()
        .filter(e -> is(e, "step"))
        .map(e -> e.get("loss").asDouble())
        .toList();
  }
}
