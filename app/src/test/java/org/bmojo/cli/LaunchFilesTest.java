package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** What lies in runs/launch, with launchers that only say what they were to start. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "POSIX shell scripts")
class LaunchFilesTest {
  private static final Path FOLDER = Path.of("../runs/launch").toAbsolutePath().normalize();

  @TempDir Path home = Path.of("");

  @ParameterizedTest
  @CsvSource({"torchrun.sh, torchrun", "mpi.sh, mpirun", "slurm.sbatch, srun"})
  void whatIsStartedIsUnderstood(String file, String launcher) throws Exception {
    executable(launcher, "#!/bin/sh\nfor a in \"$@\"; do echo \"$a\"; done\n");
    executable("scontrol", "#!/bin/sh\necho node-1\necho node-2\n");
    ProcessBuilder builder = new ProcessBuilder(file.endsWith(".sh") ? "sh" : "bash");
    builder.command().addAll(List.of(FOLDER.resolve(file).toString(), "tokens", "runs/two"));
    builder.environment().put("PATH", home + ":/usr/bin:/bin");
    builder.environment().put("SLURM_JOB_NODELIST", "node-[1-2]");
    builder.environment().put("SLURM_JOB_ID", "1234567");
    List<String> words = said(builder, 0);
    int start = words.indexOf("./bmojo");
    assertThat(start).as("%s", words).isPositive();
    assertUnderstood(words.subList(start + 1, words.size()));
    assertThat(words).contains("train", "tokens", "runs/two", "--resume");
  }

  @Test
  void whatPodsRunIsUnderstood() {
    JsonNode job = YAMLMapper.builder().build().readTree(FOLDER.resolve("pytorchjob.yaml"));
    JsonNode replicas = job.path("spec").path("pytorchReplicaSpecs");
    JsonNode pod = replicas.path("Master").path("template").path("spec").path("containers").path(0);
    List<String> words = new ArrayList<>();
    pod.path("command").forEach(word -> words.add(word.asString()));
    pod.path("args").forEach(word -> words.add(word.asString()));
    assertThat(words.removeFirst()).isEqualTo("./bmojo");
    assertUnderstood(words);
    // The same pod by an alias, which this reader of YAML leaves as it stands.
    assertThat(replicas.path("Worker").path("template").asString()).isEqualTo("pod");
  }

  private static void assertUnderstood(List<String> words) {
    var parsed = Main.commandLine().parseArgs(words.toArray(new String[0]));
    assertThat(parsed.errors()).as("%s", words).isEmpty();
    assertThat(parsed.subcommand().commandSpec().name()).isEqualTo("train");
  }

  /** Each process gets its number, and the first failure is the launcher's. */
  @Test
  void theLocalLauncherNumbersProcesses() throws Exception {
    Path each =
        executable(
            "each",
            "#!/bin/sh\necho \"$RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR $MASTER_PORT $1\" >"
                + home.resolve("said")
                + "$RANK\n[ $RANK -ne 1 ] || exit 13\n");
    said(local(3, each.toString(), "two words"), 13);
    List<String> ports = new ArrayList<>();
    for (int rank = 0; rank < 3; rank++) {
      String line = Files.readString(home.resolve("said" + rank)).strip();
      assertThat(line).matches(rank + " " + rank + " 3 127\\.0\\.0\\.1 \\d+ two words");
      ports.add(line.split(" ")[4]);
    }
    assertThat(ports).containsOnly(ports.getFirst());
    assertThat(said(local(2), 2)).singleElement().asString().startsWith("usage:");
  }

  /** A polite kill reaches the processes, which may take their time, and is waited for. */
  @Test
  void theLocalLauncherPassesKillsOn() throws Exception {
    Path each =
        executable(
            "each",
            "#!/bin/sh\ntrap 'sleep 0.3; touch "
                + home.resolve("saved")
                + "$RANK; exit 130' TERM\ntouch "
                + home.resolve("up")
                + "$RANK\nwhile :; do sleep 0.05; done\n");
    Process launcher = local(2, each.toString()).redirectErrorStream(true).start();
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (Files.notExists(home.resolve("up0")) || Files.notExists(home.resolve("up1"))) {
      assertThat(System.nanoTime()).isLessThan(until);
      Thread.sleep(20);
    }
    launcher.destroy();
    assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).isEqualTo(130);
    assertThat(home.resolve("saved0")).exists();
    assertThat(home.resolve("saved1")).exists();
  }

  private static ProcessBuilder local(int processes, String... command) {
    ProcessBuilder builder = new ProcessBuilder("sh", FOLDER.resolve("local.sh").toString());
    builder.command().add(Integer.toString(processes));
    builder.command().addAll(Arrays.asList(command));
    return builder;
  }

  private Path executable(String name, String script) throws IOException {
    Path file = Files.writeString(home.resolve(name), script);
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private static List<String> said(ProcessBuilder builder, int exitCode) throws Exception {
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(said).isEqualTo(exitCode);
    return said.lines().toList();
  }
}
