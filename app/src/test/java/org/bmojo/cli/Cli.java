package org.bmojo.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Commands run in this JVM, and what they said. */
record Cli(int exitCode, String out, String err) {
  static Cli run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    String[] words = new String[args.length];
    for (int i = 0; i < args.length; i++) words[i] = args[i].toString();
    int exitCode = line.execute(words);
    return new Cli(exitCode, out.toString(), err.toString());
  }

  /** The answer of a command that was asked for JSON. */
  JsonNode json() {
    return JsonMapper.builder().build().readTree(out);
  }

  /** A file of words that a model can learn something about. */
  static Path text(Path file) throws IOException {
    String[] words = {"the ", "cat ", "sat ", "on ", "a ", "mat", ".\n"};
    StringBuilder text = new StringBuilder();
    SplittableRandom random = new SplittableRandom(1);
    while (text.length() < 300_000) text.append(words[random.nextInt(words.length)]);
    return Files.writeString(file, text);
  }

  /** Runs the command in a JVM of its own, which can be killed; what it says is dropped. */
  static Process start(Object... args) throws IOException {
    return builder(args)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  /** The command in a JVM of its own, not started. */
  static ProcessBuilder builder(Object... args) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    for (Object arg : args) command.add(arg.toString());
    return new ProcessBuilder(command);
  }
}
