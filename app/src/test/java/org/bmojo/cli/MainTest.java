package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void doctorAnswersJsonAlone() {
    assertThat(run("doctor", "--json")).isZero();

    JsonNode answer = JsonMapper.builder().build().readTree(out.toString());
    assertThat(answer.get("libtorch").get("version").asString()).startsWith("2.");
    assertThat(answer.get("libtorch").get("threads").asInt()).isPositive();
    assertThat(answer.get("cores").asInt()).isPositive();
    assertThat(answer.get("vectorBits").asInt()).isGreaterThanOrEqualTo(32);
    assertThat(answer.get("problems").isEmpty()).isTrue();
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void doctorAnswersPeople() {
    assertThat(run("doctor")).isZero();
    assertThat(out.toString()).contains("libtorch", "Vector API").endsWith("ready\n");
  }

  @Test
  void withoutCommandHelps() {
    assertThat(run()).isZero();
    assertThat(out.toString()).contains("Usage: bmojo", "Examples:", "doctor", "130");
  }

  @Test
  void everyVisibleCommandHasExamplesOfItsOwn() {
    for (CommandLine command : Main.commandLine().getSubcommands().values()) {
      var usage = command.getCommandSpec().usageMessage();
      if (usage.hidden() || command.getCommandName().equals("help")) continue;
      assertThat(usage.footer()).anyMatch(l -> l.contains("./bmojo " + command.getCommandName()));
      assertThat(usage.description()).isNotEmpty();
    }
  }

  @Test
  void unknownCommandsAndOptionsAreAnsweredWithTheNearest() {
    assertThat(run("docter")).isEqualTo(2);
    assertThat(err.toString()).contains("'docter'", "bmojo doctor").doesNotContain("Usage:");

    assertThat(run("doctor", "--jsno")).isEqualTo(2);
    assertThat(err.toString()).contains("'--jsno'", "--json", "./bmojo doctor --help");
  }

  static Stream<Arguments> failures() {
    return Stream.of(
        Arguments.of(new BadInput("w: 3 bytes", "expected 8", "Export it again"), 2, "Export it"),
        Arguments.of(new NoSuchFileException("/no/model"), 2, "/no/model does not exist"),
        Arguments.of(new AccessDeniedException("/root/model"), 2, "permissions"),
        Arguments.of(new UncheckedIOException(new IOException("disk full")), 1, "disk full"),
        Arguments.of(new InterruptedException(), 130, "interrupted"),
        Arguments.of(new OutOfMemoryError("Java heap space"), 1, "BMOJO_OPTS=-Xmx"),
        Arguments.of(
            new RuntimeException("CUDA out of memory. Tried to allocate 2.00 GiB\nframe #0"),
            1,
            "Lower --batch, and raise --accumulate"),
        Arguments.of(new UnsatisfiedLinkError("no jnitorch"), 1, "./bmojo doctor"),
        Arguments.of(new IllegalStateException("lost"), 1, "defect of ours"),
        Arguments.of(new RuntimeException("shape\nframe #0: c10::Error"), 1, "defect of ours"));
  }

  @ParameterizedTest
  @MethodSource("failures")
  void everyFailureIsOneLineAndAnExitCode(Throwable thrown, int exitCode, String words) {
    assertThat(run(new Fail(thrown), "fail")).isEqualTo(exitCode);

    assertThat(err.toString()).startsWith("bmojo fail: ").contains(words);
    assertThat(err.toString().lines()).hasSize(1);
    assertThat(out.toString()).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("failures")
  void stackTracesAreShownWhenAskedFor(Throwable thrown, int exitCode, String words) {
    assertThat(run(new Fail(thrown), "fail", "--stacktrace")).isEqualTo(exitCode);
    assertThat(err.toString()).contains(words, "\tat ");
  }

  @Test
  void anOptionsConverterMayRefuseAsBadInput() {
    assertThat(run(new Fail(null), "fail", "--even", "3")).isEqualTo(2);
    assertThat(err.toString()).contains("found 3; expected an even number. Add one.");
    assertThat(err.toString()).doesNotContain("org.bmojo");
  }

  @Test
  void argumentsThatBeginWithAtAreNotFiles() {
    assertThat(run(new Fail(null), "fail", "--prompt", "@home")).isZero();
    assertThat(out.toString()).isEqualTo("@home\n");
  }

  private int run(String... args) {
    return run(Main.commandLine(), args);
  }

  private int run(Fail command, String... args) {
    return run(Main.commandLine(command), args);
  }

  private int run(CommandLine line, String... args) {
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @Command(name = "fail")
  static final class Fail implements Callable<Integer> {
    private final @Nullable Throwable thrown;

    @CommandLine.Spec CommandLine.Model.CommandSpec spec;

    @Option(names = "--even", converter = Even.class)
    int even;

    @Option(names = "--prompt")
    String prompt = "";

    Fail(@Nullable Throwable thrown) {
      this.thrown = thrown;
    }

    @Override
    public Integer call() throws Exception {
      if (thrown instanceof Error e) throw e;
      if (thrown instanceof Exception e) throw e;
      spec.commandLine().getOut().println(prompt);
      return 0;
    }
  }

  static final class Even implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      int number = Integer.parseInt(value);
      if (number % 2 == 0) return number;
      throw new BadInput("found " + value, "expected an even number", "Add one");
    }
  }
}
