package org.bmojo.cli;

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
    subcommands = {
      Quickstart.class,
      Train.class,
      Data.class,
      Generate.class,
      Remember.class,
      Forget.class,
      Chat.class,
      Serve.class,
      Eval.class,
      Recall.class,
      SweepCommand.class,
      Report.class,
      Info.class,
      Convert.class,
      Logits.class,
      Layer.class,
      Doctor.class,
      HelpCommand.class
    },
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
      "  ./bmojo doctor                            is this machine ready?",
      "  ./bmojo train book.txt --out runs/book    a model from a text",
      "  ./bmojo generate runs/book \"Once\"         which then goes on by itself",
      "  ./bmojo help train                        what a command does, its options and examples"
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
    System.exit(commandLine().execute(args));
  }

  /**
   * The whole command line.
   *
   * @param more commands beside those listed above
   */
  static CommandLine commandLine(Object... more) {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    for (Object command : more) line.addSubcommand(command);
    Failures failures = new Failures(main);
    return line.setExpandAtFiles(false) // A prompt may begin with "@".
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionStrategy(parsed -> {
          Verbosity.set(main.verbose.length);
          try {
            return new RunLast().execute(parsed);
          } catch (Error e) {
            // The handler below gets exceptions only; without memory or libtorch come errors.
            return failures.report(e, parsed.asCommandLineList().getLast());
          }
        })
        .setExecutionExceptionHandler(failures)
        .setParameterExceptionHandler(failures);
  }
}
