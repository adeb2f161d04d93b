package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the README shows is what works. */
class ReadmeTest {
  private static final Path README = Path.of("../README.md");

  @TempDir Path home = Path.of("");

  /** The Java example as it stands there, compiled and run where there is a book.txt. */
  @Test
  void theExampleTrainsSavesLoadsAndWrites() throws Exception {
    Path example = Files.writeString(home.resolve("Example.java"), block("java"));
    Cli.text(home.resolve("book.txt"));
    Path said = home.resolve("said.txt");
    Process run =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                example.toString())
            .directory(home.toFile())
            .redirectErrorStream(true)
            .redirectOutput(said.toFile())
            .start();
    assertThat(run.waitFor()).as(Files.readString(said)).isZero();
    List<String> losses =
        Files.readAllLines(said).stream().filter(l -> l.matches("\\d+: loss .*")).toList();
    assertThat(losses).hasSize(100);
    assertThat(loss(losses.getLast())).isLessThan(loss(losses.getFirst()) / 2);
    assertThat(Files.readString(said)).contains("the ", "cat ");
  }

  /** Every command it shows exists, with the options shown. */
  @Test
  void itsCommandsAreUnderstood() throws IOException {
    List<String> lines =
        Files.readAllLines(README).stream().filter(l -> l.startsWith("./bmojo ")).toList();
    assertThat(lines).isNotEmpty();
    for (String line : lines) {
      String[] words =
          line.replaceFirst("#.*", "").strip().replaceAll("\"[^\"]*\"", "words").split("\\s+");
      String[] args = Arrays.copyOfRange(words, 1, words.length);
      var parsed = Main.commandLine().parseArgs(args);
      assertThat(parsed.errors()).as(line).isEmpty();
    }
  }

  private static double loss(String line) {
    return Double.parseDouble(line.substring(line.lastIndexOf(' ')));
  }

  private static String block(String language) throws IOException {
    String text = Files.readString(README);
    int start = text.indexOf("```" + language + "\n") + language.length() + 4;
    return text.substring(start, text.indexOf("```", start));
  }
}
