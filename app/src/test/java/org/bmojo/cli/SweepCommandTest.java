package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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

/** {@code bmojo sweep} and {@code bmojo report}. */
class SweepCommandTest {
  private static final String PLAN =
      """
      sweep: command
      window: 4
      seeds: [1, 2]
      training: {batch: 2, steps: 3, learningRates: [1e-3]}
      tasks:
        mqar:
          task: {kind: mqar, vocabulary: 32, length: 24, pairs: 2, testExamples: 5}
      baselines:
        mamba:
          model: {family: mamba, width: 16, states: 2}
        sliding:
          model: {family: sliding, width: 16, window: 4}
      """;

  @TempDir Path home = Path.of("");
  private Path plan = Path.of("");
  private Path out = Path.of("");

  @BeforeEach
  void planned() throws IOException {
    plan = Files.writeString(home.resolve("plan.yaml"), PLAN);
    out = home.resolve("out");
  }

  @Test
  void aSweepIsShownRunSharedAndReported() throws IOException {
    JsonNode shown = ok("sweep", plan, "--out", out, "--dry-run", "--json").json();
    assertThat(out).doesNotExist();
    assertThat(shown.get("trials").size()).isEqualTo(4);
    assertThat(shown.get("pending").asInt()).isEqualTo(4);
    assertThat(shown.at("/trials/0/cost/trainTokens").asInt()).isEqualTo(3 * 2 * 24);
    assertThat(shown.at("/trials/0/cost/operations").asDouble()).isGreaterThan(1e6);

    ok("sweep", plan, "--out", out, "--shard", "1/3");
    ok("sweep", plan, "--out", out, "--shard", "3/3", "--workers", 2);
    assertThat(out.resolve("trials-1-of-3.jsonl")).exists();
    JsonNode rest = ok("sweep", plan, "--out", out, "--json").json();
    assertThat(rest.get("finished").asInt()).isEqualTo(1);
    assertThat(rest.get("left").asInt()).isZero();
    Cli all = ok("sweep", plan, "--out", out, "--dry-run");
    assertThat(all.out()).contains("4 trials, 0 to do", "done", "mqar: mamba");

    Cli report = ok("report", out);
    assertThat(report.out()).contains("mamba", "sliding", "report.html");
    assertThat(Files.readString(out.resolve("report.html"))).contains("<svg", "sliding");
    JsonNode models = ok("report", out, "--json", "--page", home.resolve("p.html")).json();
    assertThat(models.get("models").size()).isEqualTo(2);
    assertThat(models.at("/models/0/seeds").asInt()).isEqualTo(2);
    assertThat(home.resolve("p.html")).exists();
  }

  @Test
  void longerTrainingsAndOtherSeedsAreOtherTrials() {
    ok("sweep", plan, "--out", out, "--only", "mamba", "--seeds", "3");
    JsonNode longer =
        ok("sweep", plan, "--out", out, "--dry-run", "--json", "--steps", "4", "--only", "mamba")
            .json();
    assertThat(longer.get("trials").size()).isEqualTo(2);
    assertThat(longer.get("pending").asInt()).isEqualTo(2);
  }

  /** Ctrl-C and a polite kill: no line is torn, and the same command goes on. */
  @Test
  void anInterruptLeavesWholeLines() throws Exception {
    String slow = PLAN.replace("steps: 3", "steps: 40").replace("[1, 2]", "[1, 2, 3, 4, 5, 6, 7]");
    Files.writeString(plan, slow);
    Process sweep = Cli.start("sweep", plan, "--out", out);
    assumeTrue(sweep.supportsNormalTermination()); // not on Windows
    Path lines = out.resolve("trials.jsonl");
    while (sweep.isAlive() && (!Files.exists(lines) || Files.size(lines) == 0)) Thread.sleep(5);
    sweep.destroy();
    assertThat(sweep.waitFor()).isNotZero();
    int before = Files.readAllLines(lines).size();
    assertThat(before).isPositive();
    assertThat(Files.readString(lines)).endsWith("}\n");

    Cli rest = ok("sweep", plan, "--out", out, "--json");
    assertThat(rest.json().get("finished").asInt()).isEqualTo(14 - before);
    assertThat(Files.readAllLines(lines)).hasSize(14);
  }

  @ParameterizedTest
  @CsvSource({
    "--shard 0/3, expected I/N",
    "--shard 4/3, expected I/N",
    "--shard x, expected I/N",
    "--workers 0, expected 1 or more",
    "--steps 0, steps",
    "--device tpu, 'expected cpu, cuda or cuda:N'"
  })
  void nonsenseIsRefused(String options, String words) {
    List<Object> args = new ArrayList<>(List.of("sweep", plan, "--out", out));
    args.addAll(List.of(options.split(" ")));
    refused(words, args.toArray());
  }

  @Test
  void missingAndBrokenFilesAreRefused() throws IOException {
    refused("does not exist", "sweep", home.resolve("none.yaml"));
    refused("is no folder", "report", home.resolve("none"));
    Files.createDirectories(out);
    refused("holds neither a run nor", "report", out);
    Files.writeString(out.resolve("trials.jsonl"), "{}\n");
    refused("line 1", "report", out);
    Files.writeString(plan, PLAN.replace("window: 4", "windoww: 4"));
    refused("unknown key windoww", "sweep", plan, "--dry-run");
  }

  private static Cli ok(Object... args) {
    Cli cli = Cli.run(args);
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    return cli;
  }

  private static void refused(String words, Object... args) {
    Cli cli = Cli.run(args);
    assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err()).contains(words).hasLineCount(1);
    assertThat(cli.out()).isEmpty();
  }
}
