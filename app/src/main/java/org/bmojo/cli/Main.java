package org.bmojo.cli;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code bmojo}: the commands in the order of its help, and what they have in common. */
@Command(
    name = "bmojo",
    description = "Sequence models with fading and eidetic memory: train, study and serve them.",
    subcommands = {Doctor.class, HelpCommand.class},
    scope = ScopeType.INHERIT,
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    usageHelpWidth = 100,
    descriptionHeading = "%n",
    parameterListHeading = "%n",
    optionListHeading = "%nOptions:%n",
    commandListHeading = "%nCommands:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  ./bmojo doctor           is this machine ready?",
      "  ./bmojo help doctor      what a command does, its options and examples"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it did what was asked",
      "1:it failed: a defect of ours, or the machine's doing (a full disk, no memory)",
      "2:bad usage or bad input; the message says how to mend it",
      "130:interrupted (Ctrl-C)"
    })
public final class Main implements Runnable {
  @Spec CommandSpec spec;

  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Log what is decided and why on standard error; -vv logs details.")
  boolean[] verbose = {};

  @Option(
      names = "--stacktrace",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of whatever goes wrong.")
  boolean stacktrace;

  /** Without a command: the help. */
  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    System.exit(
        run(
            new PrintWriter(System.out, true),
            new PrintWriter(System.err, true),
            new Main(),
            args));
  }

  /**
   * Runs one command in this JVM.
   *
   * @param main normally a new {@code Main}, or one to which a test adds its commands by subclass
   * @return the exit code
   */
  static int run(PrintWriter out, PrintWriter err, Main main, String... args) {
    CommandLine line = main.commandLine().setOut(out).setErr(err);
    try {
      return line.execute(args);
    } catch (Error e) {
      // picocli hands us exceptions only; a JVM without memory or libtorch throws errors.
      return new Failures(main).report(e, line);
    }
  }

  CommandLine commandLine() {
    Failures failures = new Failures(this);
    return new CommandLine(this)
        .setExpandAtFiles(false) // A prompt may begin with "@".
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionStrategy(parsed -> {
          Verbosity.set(verbose.length);
          return new RunLast().execute(parsed);
        })
        .setExecutionExceptionHandler(failures)
        .setParameterExceptionHandler(failures);
  }
}
