package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Training must not leak native memory, which no garbage collector watches. The short form runs
 * with the other tests, the long one when asked for:
 *
 * <pre>
 * {@code mvn -pl core -am test -Dbmojo.excluded=gpu -Dtest=SoakTest -Dsurefire.failIfNoSpecifiedTests=false}
 * </pre>
 */
class SoakTest {
  @Test
  void aThousandStepsLeaveNothingBehind() throws IOException, InterruptedException {
    soak(1_000);
  }

  @Test
  @Tag("soak")
  void tenThousandStepsLeaveNothingBehind() throws IOException, InterruptedException {
    soak(10_000);
  }

  /**
   * A sample of a run.
   *
   * @param objects native objects that Java holds
   * @param kilobytes resident memory, the heap's share of which is constant
   */
  private record Sample(long steps, long seconds, long objects, long kilobytes) {
    static Sample of(String line) {
      String[] words = line.split(" ");
      long[] numbers = Arrays.stream(words, 1, 5).mapToLong(Long::parseLong).toArray();
      return new Sample(numbers[0], numbers[1], numbers[2], numbers[3]);
    }
  }

  private static void soak(long steps) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xms256m", "-Xmx256m"));
    command.addAll(List.of("-XX:+AlwaysPreTouch", "--add-modules", "jdk.incubator.vector"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Soak.class.getName()));
    command.add(Long.toString(steps));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    List<Sample> samples =
        output.lines().filter(line -> line.startsWith("soak ")).map(Sample::of).toList();
    assertThat(samples).hasSize(5);
    samples.forEach(System.out::println);
    Sample early = samples.get(1), last = samples.getLast();
    assertThat(samples).extracting(Sample::objects).containsOnly(samples.getFirst().objects);
    // Compiled code and the like grow by some tens of megabytes in the first minute.
    long allowed = 30_000 + 4 * (last.steps - early.steps);
    assertThat(last.kilobytes - early.kilobytes).as("%s", samples).isLessThan(allowed);
  }
}
