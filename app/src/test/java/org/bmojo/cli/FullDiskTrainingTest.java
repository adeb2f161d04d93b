package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A run whose disk takes no more: by the largest size of a file that its shell allows it. */
@EnabledOnOs(OS.LINUX)
class FullDiskTrainingTest {
  private static final int BLOCK = 512; // of ulimit

  @TempDir Path home = Path.of("");

  @Test
  void theLastCheckpointIsIntactAndTheRunGoesOnOnceThereIsRoom() throws Exception {
    Path text = Cli.text(home.resolve("cats.txt"));
    Path whole = home.resolve("whole"), run = home.resolve("run");
    assertThat(Cli.run(train(whole, text, "--steps", 6)).exitCode()).isZero();
    assertThat(Cli.run(train(run, text, "--steps", 6, "--stop-after", 3)).exitCode()).isZero();

    // The weights still fit, the optimizer's moments do not.
    long weights = Files.size(run.resolve("model/model.safetensors"));
    long moments = Files.size(run.resolve("model/optimizer.safetensors"));
    Path said = home.resolve("said");
    ProcessBuilder resume = Cli.builder("train", "--resume", "--out", run, "--save-every", 2);
    List<String> limited = new ArrayList<>();
    String limit = Long.toString((weights + moments) / 2 / BLOCK);
    limited.addAll(List.of("sh", "-c", "ulimit -f " + limit + "; exec \"$@\"", "sh"));
    limited.addAll(resume.command());
    Process full =
        resume.command(limited).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    assertThat(full.waitFor()).as(Files.readString(said)).isEqualTo(2);
    assertThat(Files.readString(said))
        .contains("optimizer.safetensors could not be written", "Free some space");
    assertThat(step(run)).isEqualTo(3);
    try (var files = Files.list(run)) {
      assertThat(files.map(Path::getFileName).map(Path::toString))
          .as("no half checkpoint is left")
          .containsExactlyInAnyOrder("model", "tokens", "metrics.jsonl");
    }

    Cli rest = Cli.run("train", "--resume", "--out", run, "--eval-every", 0);
    assertThat(rest.exitCode()).as(rest.err()).isZero();
    assertThat(TrainTest.losses(run)).isEqualTo(TrainTest.losses(whole));
  }

  private static Object[] train(Path run, Path text, Object... more) {
    List<Object> args = new ArrayList<>(List.of("train", text, "--out", run));
    args.addAll(List.of("--model", "mamba-tiny", "--batch", 1, "--context", 13));
    args.addAll(List.of("--eval-every", 0));
    args.addAll(Arrays.asList(more));
    return args.toArray();
  }

  private static long step(Path run) throws IOException {
    try (Checkpoint saved = Checkpoint.open(run)) {
      return Objects.requireNonNull(saved.training()).step();
    }
  }
}
