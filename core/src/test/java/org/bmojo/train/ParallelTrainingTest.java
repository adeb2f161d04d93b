package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.TinyModels;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two processes that train one model. */
class ParallelTrainingTest {
  static final Schedule SCHEDULE =
      new Schedule(Schedule.Shape.CONSTANT, 0.01, 0, 0, OneOfTwo.STEPS);

  @TempDir Path folder = Path.of("");

  static Batch batch(long number) {
    return TinyModels.batch(number, 4, 13, false);
  }

  @Test
  void halvesApartAreTheWhole() throws Exception {
    List<Process> two = start(0);
    for (Process p : two) assertThat(p.waitFor(120, TimeUnit.SECONDS)).isTrue();
    List<String> first = lines(0), second = lines(1);
    assertThat(two).as("%s %s", first, second).allMatch(p -> p.exitValue() == 0);
    assertThat(second).as("both see the same").isEqualTo(first);
    List<String> alone = new ArrayList<>();
    try (Scope scope = new Scope();
        LanguageModel model =
            LanguageModel.create(GoldenRun.config("hybrid"), 1, ScalarType.Double);
        Trainer trainer = new Trainer(model, GoldenRun.SETTINGS, SCHEDULE)) {
      trainer.run(
          number -> List.of(batch(number)),
          step -> alone.add("loss " + step.loss() + " " + step.gradientNorm()));
    }
    assertThat(first).hasSize(OneOfTwo.STEPS);
    for (int i = 0; i < OneOfTwo.STEPS; i++) {
      double[] wanted = numbers(alone.get(i)), found = numbers(first.get(i));
      assertThat(found[0]).as("loss " + i).isCloseTo(wanted[0], within(1e-12));
      assertThat(found[1]).as("norm " + i).isCloseTo(wanted[1], within(1e-10));
    }
  }

  @Test
  void whoLosesAnotherSaysSoAndEnds() throws Exception {
    List<Process> two = start(2);
    assertThat(two.getFirst().waitFor(90, TimeUnit.SECONDS)).as("ends by itself").isTrue();
    assertThat(two.getFirst().exitValue()).isEqualTo(7);
    assertThat(lines(0).getLast())
        .contains("rank 0 of 2 lost another")
        .contains("checkpoint is intact");
    two.getLast().waitFor();
  }

  private List<Process> start(long dies) throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    List<Process> processes = new ArrayList<>();
    for (int rank = 0; rank < 2; rank++) {
      ProcessBuilder builder =
          new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "--enable-native-access=ALL-UNNAMED",
              "--add-modules=jdk.incubator.vector",
              "-Xmx256m",
              "-cp",
              System.getProperty("java.class.path"),
              OneOfTwo.class.getName(),
              Long.toString(dies));
      builder
          .environment()
          .putAll(
              Map.of(
                  "RANK", Integer.toString(rank),
                  "WORLD_SIZE", "2",
                  "LOCAL_RANK", Integer.toString(rank),
                  "MASTER_ADDR", "127.0.0.1",
                  "MASTER_PORT", Integer.toString(port)));
      builder.redirectErrorStream(true).redirectOutput(folder.resolve("out" + rank).toFile());
      processes.add(builder.start());
    }
    return processes;
  }

  private List<String> lines(int rank) throws IOException {
    return Files.readAllLines(folder.resolve("out" + rank)).stream()
        .filter(line -> line.startsWith("loss ") || line.startsWith("lost: "))
        .toList();
  }

  private static double[] numbers(String line) {
    String[] words = line.split(" ");
    return new double[] {Double.parseDouble(words[1]), Double.parseDouble(words[2])};
  }
}
