package org.bmojo.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** After {@code kill -9} in the middle of writing, all that is there is whole. */
class KillTest {
  private static final int KILLS = 4;

  @TempDir Path home = Path.of("");

  @Test
  void nothingHalfWrittenIsEverSeen() throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    for (int kill = 0; kill < KILLS; kill++) {
      Process churn = start(1_000_000L * (kill + 1));
      assertThat(churn.inputReader().readLine()).isEqualTo("running");
      Thread.sleep(random.nextInt(1, 60)); // anywhere in a cycle; which place does not matter
      churn.destroyForcibly().waitFor();
      Path folder = AtomicFolder.current(home.resolve("folder"));
      String a = whole(folder.resolve("a"));
      assertThat(whole(folder.resolve("b"))).isEqualTo(a);
      assertThat(Long.parseLong(a)).isGreaterThanOrEqualTo(1_000_000L * (kill + 1));
      whole(home.resolve("file"));
    }
    AtomicFolder.replace(home.resolve("folder"), f -> Files.writeString(f.resolve("a"), "end"));
    AtomicFile.replace(home.resolve("file"), new byte[1]);
    try (Stream<Path> left = Files.list(home)) {
      assertThat(left.map(p -> p.getFileName().toString()))
          .containsExactlyInAnyOrder("folder", "file");
    }
  }

  /** The number that all lines of a file have. */
  private static String whole(Path file) throws IOException {
    List<String> lines = Files.readAllLines(file);
    assertThat(lines).hasSize(20_000).containsOnly(lines.getFirst());
    return lines.getFirst();
  }

  private Process start(long first) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xshare:auto",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            Churn.class.getName(),
            home.toString(),
            Long.toString(first))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
