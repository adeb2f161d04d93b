package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bmojo.checkpoint.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training in another JVM, killed again and again, takes the steps of a run that was not. */
class KilledTrainingTest {
  private static final int KILLS = 3;
  private static final int STEPS = 200;

  @TempDir Path home = Path.of("");

  @Test
  void killsLeaveNoTrace() throws Exception {
    Path text = Cli.text(home.resolve("cats.txt"));
    Object[] sizes = {
      "--model", "mamba-tiny", "--batch", 1, "--context", 13, "--steps", STEPS, "--eval-every", 0
    };
    Path whole = home.resolve("whole");
    assertThat(Cli.run(command(sizes, text, whole)).exitCode()).isZero();

    Path killed = home.resolve("killed");
    SplittableRandom random = new SplittableRandom(1);
    for (int kill = 0; kill < KILLS; kill++) {
      Process training = Cli.start(command(sizes, text, killed));
      // Saving takes most of the time here, so most kills come in the middle of writing.
      await(training, killed, 1 + kill * STEPS / KILLS);
      Thread.sleep(random.nextInt(1, 40));
      training.destroyForcibly().waitFor();
      assertThat(Checkpoint.exists(killed)).isTrue();
    }
    Cli last = Cli.run("train", "--resume", "--out", killed, "--eval-every", 0);
    assertThat(last.exitCode()).as(last.err()).isZero();
    assertThat(TrainTest.losses(killed)).hasSize(STEPS).isEqualTo(TrainTest.losses(whole));
  }

  /** Ctrl-C and a polite kill: the step is finished and saved. */
  @Test
  void anInterruptLosesNothing() throws Exception {
    Path text = Cli.text(home.resolve("cats.txt"));
    Path run = home.resolve("run");
    Process training =
        Cli.start(
            new Object[] {
              "train",
              text,
              "--out",
              run,
              "--model",
              "mamba-tiny",
              "--batch",
              1,
              "--context",
              13,
              "--steps",
              1_000_000,
              "--save-every",
              0
            });
    assumeTrue(training.supportsNormalTermination()); // not on Windows
    await(training, run, 3);
    training.destroy();
    assertThat(training.waitFor()).isNotZero();
    try (Checkpoint saved = Checkpoint.open(run)) {
      assertThat(Objects.requireNonNull(saved.training()).step())
          .isEqualTo(TrainTest.losses(run).size())
          .isGreaterThanOrEqualTo(3);
    }
  }

  private static Object[] command(Object[] sizes, Path text, Path run) {
    List<Object> args = new ArrayList<>(List.of("train", text, "--out", run, "--resume"));
    args.addAll(List.of(sizes));
    args.addAll(List.of("--save-every", 1));
    return args.toArray();
  }

  /** Until so many lines are in the metrics, or it is done. */
  private static void await(Process training, Path run, int steps) throws Exception {
    Path metrics = run.resolve("metrics.jsonl");
    while (training.isAlive() && steps(metrics) < steps) Thread.sleep(5);
  }

  private static long steps(Path metrics) throws IOException {
    if (!Files.exists(metrics)) return 0;
    return Files.readAllLines(metrics).stream().filter(l -> l.contains("\"step\",")).count();
  }
}
