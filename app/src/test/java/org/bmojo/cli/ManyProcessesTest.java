package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.bmojo.checkpoint.Checkpoint;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code train} in two processes, between which Gloo sums. */
class ManyProcessesTest {
  private static final long PATIENCE_SECONDS = 120;
  private static final int ENDLESS = 1_000_000;

  @TempDir Path home = Path.of("");
  private Path tokens = Path.of("");
  private final List<Process> started = new ArrayList<>();

  @BeforeEach
  void tokens() throws IOException {
    Path text = Cli.text(home.resolve("cats.txt"));
    tokens = home.resolve("tokens");
    assertThat(Cli.run("data", "prepare", text, "--out", tokens).exitCode()).isZero();
  }

  @AfterEach
  void end() {
    started.forEach(Process::destroyForcibly);
  }

  /**
   * One process for six updates, and two, one and two again for two each. Of three batches two
   * processes take one and a half each.
   */
  @ParameterizedTest
  @CsvSource({"fp32, 3", "bf16, 2"})
  void howManyThereAreMakesNoDifference(String precision, int batches) throws Exception {
    Path alone = home.resolve("alone"), changing = home.resolve("changing");
    Object[] same = {"--precision", precision, "--eval-tokens", 300};
    Object[] sizes = {"--accumulate", batches, "--steps", 6, "--precision", precision};
    Cli whole = Cli.run(train(alone, sizes, "--eval-every", 0));
    assertThat(whole.exitCode()).as(whole.err()).isZero();

    assertEnd(
        0, two(train(changing, sizes, "--stop-after", 2, "--eval-every", 1, "--eval-tokens", 300)));
    assertThat(said(0)).contains("stopped after step 2", "held out");
    assertThat(said(1)).doesNotContain("step").doesNotContain("held out");
    Cli one = Cli.run(train(changing, same, "--resume", "--stop-after", 4));
    assertThat(one.exitCode()).as(one.err()).isZero();
    assertEnd(0, two(train(changing, same, "--resume")));
    assertThat(said(0)).contains("finished after step 6");

    List<Double> wanted = TrainTest.losses(alone), found = TrainTest.losses(changing);
    assertThat(found).hasSize(6);
    for (int i = 0; i < 6; i++) {
      assertThat(found.get(i)).as("loss " + i).isCloseTo(wanted.get(i), within(1e-5));
    }
    assertThat(position(changing)).isEqualTo(position(alone));
    assertThat(files(changing)).isEqualTo(files(alone));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void whoIsLeftSaysSoAndTheCheckpointIsIntact(int killed) throws Exception {
    int left = 1 - killed;
    Path run = home.resolve("run");
    Object[] sizes = {"--steps", ENDLESS, "--save-every", 5, "--eval-every", 0};
    List<Process> two = two(train(run, sizes));
    await(two, run, 7);
    two.get(killed).destroyForcibly().waitFor();
    assertThat(two.get(left).waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS))
        .as("ends by itself")
        .isTrue();
    assertThat(two.get(left).exitValue()).as(said(left)).isEqualTo(1);
    assertThat(said(left))
        .contains("bmojo train: rank " + left + " of 2 lost", "The last checkpoint is intact")
        .doesNotContain("defect of ours", ".cc:");
    long saved = step(run);
    assertThat(saved).isGreaterThanOrEqualTo(5).isEqualTo(saved / 5 * 5);
    Cli rest = Cli.run(train(run, "--resume", "--stop-after", saved + 2, "--eval-every", 0));
    assertThat(rest.exitCode()).as(rest.err()).isZero();
    assertThat(TrainTest.losses(run)).hasSize((int) saved + 2);
  }

  /** A polite kill of one: all finish the same step and save. */
  @Test
  void anInterruptOfOneEndsAll() throws Exception {
    Path run = home.resolve("run");
    List<Process> two = two(train(run, "--steps", ENDLESS, "--save-every", 0, "--eval-every", 0));
    assumeTrue(two.getFirst().supportsNormalTermination()); // not on Windows
    await(two, run, 3);
    two.getLast().destroy();
    for (Process p : two) assertThat(p.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(two.getFirst().exitValue()).as(said(0)).isEqualTo(Failures.INTERRUPTED);
    assertThat(two.getLast().exitValue()).as(said(1)).isEqualTo(128 + 15);
    assertThat(step(run)).isGreaterThanOrEqualTo(3).isEqualTo(TrainTest.losses(run).size());
    assertThat(said(0)).contains("stopped after step", "Go on with");
  }

  @Test
  void textIsNotReadByManyAtOnce() throws Exception {
    Path run = home.resolve("run");
    Object[] args = {"train", home.resolve("cats.txt"), "--out", run, "--model", "mamba-tiny"};
    assertEnd(2, two(args));
    assertThat(said(0)).contains("expected a folder of tokens", "./bmojo data prepare");
    assertThat(run).doesNotExist();
  }

  private Object[] train(Path run, Object... more) {
    List<Object> args = new ArrayList<>(List.of("train", tokens, "--out", run));
    if (!List.of(more).contains("--resume")) {
      args.addAll(List.of("--model", "bmojo-tiny", "--batch", 2, "--context", 33, "--lr", 0.01));
    }
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }

  /** Sizes, then more. */
  private Object[] train(Path run, Object[] sizes, Object... more) {
    return train(run, Stream.concat(Stream.of(sizes), Stream.of(more)).toArray());
  }

  private List<Process> two(Object... args) throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    List<Process> two = new ArrayList<>();
    for (int rank = 0; rank < 2; rank++) {
      ProcessBuilder builder = Cli.builder(args);
      builder
          .environment()
          .putAll(
              Map.of(
                  "RANK",
                  Integer.toString(rank),
                  "WORLD_SIZE",
                  "2",
                  "LOCAL_RANK",
                  Integer.toString(rank),
                  "MASTER_ADDR",
                  "127.0.0.1",
                  "MASTER_PORT",
                  Integer.toString(port),
                  "OMP_NUM_THREADS",
                  "1"));
      builder.redirectErrorStream(true).redirectOutput(home.resolve("said" + rank).toFile());
      two.add(builder.start());
    }
    started.addAll(two);
    return two;
  }

  private void assertEnd(int exitCode, List<Process> two) throws Exception {
    for (Process p : two) assertThat(p.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(two).as(said(0) + said(1)).allMatch(p -> p.exitValue() == exitCode);
  }

  private String said(int rank) throws IOException {
    return Files.readString(home.resolve("said" + rank));
  }

  private void await(List<Process> two, Path run, int steps) throws Exception {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    Path metrics = run.resolve("metrics.jsonl");
    while (System.nanoTime() < until && two.stream().allMatch(Process::isAlive)) {
      if (Files.exists(metrics) && TrainTest.losses(run).size() >= steps) return;
      Thread.sleep(20);
    }
    throw new AssertionError(said(0) + said(1));
  }

  private static long step(Path run) {
    try (Checkpoint saved = Checkpoint.open(run)) {
      return Objects.requireNonNull(saved.training()).step();
    }
  }

  private static Object position(Path run) {
    try (Checkpoint saved = Checkpoint.open(run)) {
      return Objects.requireNonNull(saved.training()).position();
    }
  }

  /** Names and lengths of what was saved. */
  private static List<String> files(Path run) throws IOException {
    try (Stream<Path> found = Files.list(run.resolve("model"))) {
      return found
          .filter(f -> !f.endsWith("checksums.json"))
          .map(f -> f.getFileName() + " " + f.toFile().length())
          .sorted()
          .toList();
    }
  }
}
