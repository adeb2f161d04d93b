package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenShards;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What {@code bmojo train} says before, beside and after the updates themselves. */
class TrainComfortTest {
  private static final Object[] TINY = {
    "--model", "mamba-tiny", "--batch", 2, "--context", 13, "--eval-tokens", 300
  };

  @TempDir Path home = Path.of("");
  private Path text = Path.of("");

  @BeforeEach
  void text() throws IOException {
    text = Cli.text(home.resolve("cats.txt"));
  }

  @Test
  void aDryRunTellsAndLeavesNothing() throws IOException {
    Path run = home.resolve("run");
    JsonNode plan = train(run, "--steps", 7, "--accumulate", 3, "--dry-run", "--json").json();
    assertThat(plan.get("tokens").asLong()).isEqualTo(7 * 3 * 2 * 13);
    assertThat(plan.get("fits").asBoolean()).isTrue();
    long parameters = 0;
    for (JsonNode part : plan.get("parameters")) parameters += part.asLong();
    JsonNode memory = plan.get("memory");
    assertThat(memory.get("moments").asLong()).isEqualTo(8 * parameters);
    long all = 0;
    for (JsonNode use : memory) all += use.asLong();
    assertThat(plan.get("bytes").asLong()).isEqualTo(all);
    assertThat(plan.has("seconds") && !plan.get("seconds").isNull()).isFalse();
    assertThat(run).doesNotExist();

    train(run, "--steps", 4, "--eval-every", 0);
    JsonNode after = train(run, "--steps", 4, "--dry-run", "--json").json();
    assertThat(after.get("seconds").asDouble()).isPositive();
    assertThat(after.get("epochs").asDouble()).isBetween(0.0, 0.01);
    assertThat(train(run, "--dry-run").out()).contains("activations", "It fits.");
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeAnythingIsDone() {
    Path run = home.resolve("run");
    Object[] huge = {
      "train", text, "--out", run, "--model", "bmojo-130m", "--batch", 4096, "--context", 2048
    };
    Cli refused = Cli.run(huge);
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err())
        .contains("training takes about", "for 4096 × 2048 tokens", "free (CPU", "Try --batch ")
        .contains(" --accumulate ")
        .hasLineCount(1);
    assertThat(run).doesNotExist();
    Object[] asked = Stream.concat(Stream.of(huge), Stream.of("--dry-run")).toArray();
    Cli dry = Cli.run(asked);
    assertThat(dry.exitCode()).isEqualTo(2);
    assertThat(dry.out()).contains("It does not fit. Try --batch ");
  }

  /** The cure's batch fits, and twice as many sequences would not. */
  @Test
  void theCureFits() {
    Object[] huge = {
      "train",
      text,
      "--out",
      home.resolve("run"),
      "--model",
      "bmojo-130m",
      "--context",
      2048,
      "--dry-run",
      "--json",
      "--batch"
    };
    JsonNode plan = Cli.run(Stream.concat(Stream.of(huge), Stream.of(4096)).toArray()).json();
    String batch = plan.get("cure").asString().replaceAll("Try --batch (\\d+) .*", "$1");
    JsonNode cured = Cli.run(Stream.concat(Stream.of(huge), Stream.of(batch)).toArray()).json();
    assertThat(cured.get("fits").asBoolean()).isTrue();
  }

  @Test
  void theReportHasTheCurvesAndTheSettings() throws IOException {
    Path run = home.resolve("run");
    train(run, "--steps", 6, "--eval-every", 3, "--tensorboard");
    Cli reported = Cli.run("report", run, "--json");
    assertThat(reported.exitCode()).as(reported.err()).isZero();
    assertThat(reported.json().get("steps").asInt()).isEqualTo(6);
    assertThat(reported.json().get("tokens").asInt()).isEqualTo(6 * 26);
    assertThat(reported.json().get("bitsPerByte").asDouble()).isPositive();
    String page = Files.readString(run.resolve("report.html"));
    assertThat(page)
        .contains("Loss", "bits per byte", "Learning rate", "Gradient norm", "tokens per second")
        .contains("&quot;context&quot; : 13", "Environment", "CPU, ", "fp32")
        .doesNotContain("http-equiv", "<script", "src=");
    assertThat(page.split("<svg", -1)).hasSize(1 + 5);

    Cli none = Cli.run("report", Files.createDirectory(home.resolve("empty")));
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.err()).contains("neither a run nor a sweep's outcomes");
  }

  @Test
  void eventFilesHoldWhatTheMetricsHold() throws IOException {
    Path run = home.resolve("run");
    train(run, "--steps", 6, "--stop-after", 4, "--eval-every", 2, "--tensorboard");
    Cli.run("train", "--resume", "--out", run, "--tensorboard", "--eval-every", 0);
    List<TensorBoardReader.Scalar> scalars = new ArrayList<>();
    List<Path> files;
    try (Stream<Path> found = Files.list(run.resolve("tensorboard"))) {
      files = found.sorted().toList();
    }
    assertThat(files).hasSize(2);
    for (Path file : files) scalars.addAll(TensorBoardReader.read(file));
    List<Double> losses = TrainTest.losses(run);
    List<TensorBoardReader.Scalar> read =
        scalars.stream().filter(s -> s.tag().equals("train/loss")).toList();
    assertThat(read)
        .extracting(TensorBoardReader.Scalar::step)
        .containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
    for (int i = 0; i < 6; i++) {
      assertThat((double) read.get(i).value()).isCloseTo(losses.get(i), within(1e-5));
    }
    assertThat(scalars)
        .extracting(TensorBoardReader.Scalar::tag)
        .contains("train/learning_rate", "held_out/bits_per_byte", "train/tokens_per_second");
    assertThat(TensorBoardReader.restarts(files.getLast())).containsExactly(5L);
  }

  @Test
  void theRateFinderLeavesNothing() throws IOException {
    Path run = home.resolve("run");
    Cli found = train(run, "--lr-find", "--json");
    assertThat(found.exitCode()).as(found.err()).isZero();
    double rate = found.json().get("suggested").asDouble();
    assertThat(rate).isBetween(1e-5, 0.5);
    assertThat(found.json().get("lowest").asDouble()).isGreaterThanOrEqualTo(rate);
    assertThat(run).doesNotExist();
    assertThat(train(run, "--lr-find").out()).contains("Try: --lr ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"light", "blocks"})
  void recomputedRunsAreTheSame(String what) throws IOException {
    Path plain = home.resolve("plain");
    Path again = home.resolve("again");
    Object[] bmojo = {"--steps", 5, "--eval-every", 0, "--model", "bmojo-tiny"};
    train(plain, bmojo);
    train(again, Stream.concat(Stream.of(bmojo), Stream.of("--recompute", what)).toArray());
    assertThat(TrainTest.losses(again)).hasSize(5).isEqualTo(TrainTest.losses(plain));
  }

  @Test
  void theMetricsHaveThePace() throws IOException {
    Path run = home.resolve("run");
    train(run, "--steps", 3, "--eval-every", 0);
    List<JsonNode> steps =
        Files.readAllLines(run.resolve("metrics.jsonl")).stream()
            .map(JsonMapper.builder().build()::readTree)
            .filter(e -> e.get("event").asString().equals("step"))
            .toList();
    assertThat(steps)
        .hasSize(3)
        .allMatch(s -> s.get("tokensPerSecond").asDouble() > 0 && !s.has("mfu"));
    assertThat(steps.getFirst().get("etaSeconds").asDouble()).isPositive();
    assertThat(steps.getLast().get("etaSeconds").asDouble()).isZero();
  }

  /** One flipped bit in the only shard there is. */
  @Test
  void aDamagedShardIsNamedOrLeftOut() throws IOException {
    Path shards = home.resolve("shards");
    TokenShards.write(shards, TextSource.of(text.toString()), new ByteTokenizer(), new Split(0, 1));
    Path file = shards.resolve("train-00000.tokens");
    byte[] bytes = Files.readAllBytes(file);
    bytes[80 + 2 * 13] ^= 1;
    Files.write(file, bytes);
    Path run = home.resolve("run");
    Object[] sizes = {"--model", "mamba-tiny", "--batch", 500, "--context", 63, "--steps", 60};
    Object[] habits = {"--eval-every", 0, "--save-every", 0, "--out", run};
    Stream<Object> start = Stream.concat(Stream.of("train", shards), Stream.of(sizes));
    Cli refused = Cli.run(Stream.concat(start, Stream.of(habits)).toArray());
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains(file.toString(), "is damaged between byte 80 and ");

    Object[] skip = {"--bad-shards", "skip", "--resume"};
    Stream<Object> again = Stream.concat(Stream.of("train", shards), Stream.of(habits));
    Cli none = Cli.run(Stream.concat(again, Stream.of(skip)).toArray());
    assertThat(none.exitCode()).as("no shard is left").isEqualTo(2);
    assertThat(none.err()).contains(file.toString(), "is damaged between byte 80 and ");
  }

  /** A rate that no model survives. */
  @Test
  void divergenceKeepsTheLastCheckpoint() throws IOException {
    Path run = home.resolve("run");
    Object[] wild = {"--steps", 400, "--lr", 1e30, "--warmup", 0, "--clip", 0, "--eval-every", 0};
    Cli diverged = train(run, wild);
    assertThat(diverged.exitCode()).isEqualTo(1);
    assertThat(diverged.err())
        .contains("at step ", "lower the learning rate")
        .doesNotContain("defect")
        .hasLineCount(1);
    assertThat(Cli.run("info", run).exitCode()).isZero();
    Path patient = home.resolve("patient");
    Object[] skips = {"--guard", "skip", "--max-skips", 3};
    Cli skipped = train(patient, Stream.concat(Stream.of(wild), Stream.of(skips)).toArray());
    assertThat(skipped.err()).contains("after 3 updates left out in a row");
    assertThat(Files.readString(patient.resolve("metrics.jsonl")).split("\"skipped\"", -1))
        .hasSize(1 + 3);
  }

  private Cli train(Path run, Object... more) {
    List<Object> args = new ArrayList<>(List.of("train", text, "--out", run));
    for (int i = 0; i < TINY.length; i += 2) {
      if (!List.of(more).contains(TINY[i])) args.addAll(List.of(TINY[i], TINY[i + 1]));
    }
    args.addAll(List.of(more));
    return Cli.run(args.toArray());
  }
}
