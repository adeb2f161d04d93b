package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.tasks.TaskKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** {@code bmojo recall}, tiny: that it runs and says what it did, not that anything is learnt. */
class RecallTest {
  private static final Object[] TINY = {
    "--steps", 2, "--batch", 2, "--width", 16, "--test-examples", 3, "--json"
  };

  @TempDir Path home = Path.of("");

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"MQAR_BASED", "MQAR_ZOOLOGY"})
  void everyTaskIsTrainedAndTested(TaskKind kind) {
    JsonNode answer = json("recall", kind.label(), TINY);
    assertThat(answer.at("/runs/0/steps").asInt()).isEqualTo(2);
    assertThat(answer.at("/runs/0/loss").asDouble()).isPositive();
    assertThat(answer.at("/runs/0/tests").size()).isEqualTo(1);
    assertThat(answer.get("recall").asDouble()).isBetween(0.0, 1.0);
    assertThat(answer.get("stateBytes").asLong()).isPositive();
  }

  @ParameterizedTest
  @CsvSource({
    "bmojo, --eidetic 4 --chunk 4 --selection random",
    "bmojo, --retrieved 3 --queries 2",
    "bmojo-f, --window 4 --fading 8 --no-tied-fading",
    "mamba, --states 3",
    "mamba2, --states 12",
    "gated-delta-net, --heads 2",
    "sliding, --window 5",
    "transformer, --convolution 0",
    "hybrid, --ssm mamba2 --layers 3"
  })
  void everyFamilyTakesItsSizes(String family, String sizes) {
    JsonNode plain = json("recall", "mqar", TINY, "--model", family);
    JsonNode sized = json("recall", "mqar", TINY, "--model", family, sizes.split(" "));
    assertThat(sized.get("model")).isNotEqualTo(plain.get("model"));
    assertThat(sized.at("/task/kind").asString()).isEqualToIgnoringCase("mqar");
  }

  @Test
  void theListNamesEveryTask() {
    Cli cli = Cli.run("recall", "--list");
    assertThat(cli.exitCode()).isZero();
    for (TaskKind kind : TaskKind.values()) assertThat(cli.out()).contains(kind.label());
    assertThat(Cli.run("recall", "--list", "--json").json().get("tasks").size())
        .isEqualTo(TaskKind.values().length);
  }

  @Test
  void aKeptModelIsTestedAgainAndAtOtherLengths() throws IOException {
    Path run = home.resolve("run");
    JsonNode trained = json("recall", "induction", TINY, "--length", "64", "--out", run);
    assertThat(Checkpoint.exists(run)).isTrue();
    assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(3);
    assertThat(Files.readString(run.resolve("result.json"))).contains("stateBytes");

    JsonNode again = json("recall", "induction", TINY, "--length", "64", "--test", run);
    assertThat(again.at("/runs/0/tests")).isEqualTo(trained.at("/runs/0/tests"));
    assertThat(again.at("/runs/0/loss").isNull()).isTrue();

    JsonNode longer = json("recall", "induction", TINY, "--test", run, "--test-lengths", "64,20K");
    assertThat(longer.at("/runs/0/tests/1/length").asInt()).isEqualTo(20 << 10);
    assertThat(longer.get("stateBytes")).isEqualTo(trained.get("stateBytes"));
    Cli over = Cli.run("recall", "induction", "--out", run, "--steps", 1);
    assertThat(over.exitCode()).isEqualTo(2);
    assertThat(over.err()).contains("holds", "another --out");
  }

  @Test
  void severalSeedsAreSeveralRuns() {
    JsonNode answer = json("recall", "mqar", TINY, "--seed", "1,2");
    assertThat(answer.get("runs").size()).isEqualTo(2);
    double one = answer.at("/runs/0/loss").asDouble();
    assertThat(answer.at("/runs/1/loss").asDouble()).isNotEqualTo(one);
    JsonNode alone = json("recall", "mqar", TINY, "--seed", "1");
    assertThat(alone.at("/runs/0/loss").asDouble()).isEqualTo(one);
    Cli text = Cli.run("recall", "mqar", "--steps", 1, "--batch", 1, "--seed", "1,2");
    assertThat(text.out()).contains("state bytes", "64 tokens", "8 pairs", "mean of 2 seeds");
  }

  @ParameterizedTest
  @CsvSource({
    "nonsense, '', expected one of mqar",
    "mqar, --noise 0.5, the task has no such choice",
    "passkey, --pairs 3, the task has no such choice",
    "mqar, --pairs 1000, show fewer pairs",
    "mqar, --test-lengths 1G, 64K or 1M",
    "mqar, --model mamba --eidetic 3, the model has no such part",
    "mqar, --model bmojo-f --retrieved 3, the model has no such part",
    "mqar, --eidetic 0 --retrieved 3, without eidetic memory",
    "mqar, --queries 3, without retrieved",
    "mqar, --model bmojo-tiny --width 3, which take sizes",
    "mqar, --model nonsense, expected one of transformer",
    "mqar, --test nowhere, no folder",
    "compression, --out kept, whose decoder is not part",
    "mqar, --device tpu, 'expected cpu, cuda or cuda:N'"
  })
  void nonsenseIsRefusedWithItsCure(String task, String options, String words) {
    Cli cli =
        Cli.run(arguments("recall", task, options.isEmpty() ? new Object[0] : options.split(" ")));
    assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err()).contains(words);
    assertThat(cli.out()).isEmpty();
  }

  private static JsonNode json(Object... words) {
    Cli cli = Cli.run(arguments(words));
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    return cli.json();
  }

  /** Arrays among the words are words themselves. */
  private static Object[] arguments(Object... words) {
    return List.of(words).stream()
        .flatMap(
            w -> w instanceof Object[] several ? List.of(several).stream() : List.of(w).stream())
        .toArray();
  }
}
