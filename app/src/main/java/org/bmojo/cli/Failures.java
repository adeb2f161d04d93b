package org.bmojo.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.bmojo.error.BadInput;
import org.bmojo.parallel.LostRankException;
import org.bmojo.train.DivergedException;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what a command threw into one line on standard error and an exit code. */
final class Failures implements IExecutionExceptionHandler, IParameterExceptionHandler {
  static final int INTERRUPTED = 130;

  private final Main main;

  Failures(Main main) {
    this.main = main;
  }

  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    return report(e, command);
  }

  /** Prints what went wrong, with the cure where there is one; returns the exit code. */
  int report(Throwable thrown, CommandLine command) {
    Verdict verdict = judge(thrown);
    command.getErr().println(command.getCommandSpec().qualifiedName() + ": " + verdict.line);
    if (main.stacktrace) thrown.printStackTrace(command.getErr());
    return verdict.exitCode;
  }

  private record Verdict(int exitCode, String line) {}

  private static Verdict judge(Throwable thrown) {
    return switch (thrown) {
      case BadInput e -> new Verdict(ExitCode.USAGE, message(e));
      case UncheckedIOException e when e.getCause() != null -> judge(e.getCause());
      case NoSuchFileException e ->
          new Verdict(ExitCode.USAGE, e.getFile() + " does not exist. Check the path.");
      case AccessDeniedException e ->
          new Verdict(
              ExitCode.USAGE,
              e.getFile()
                  + " may not be read or written by you. Change its permissions or choose"
                  + " another place.");
      case FileSystemException e ->
          new Verdict(ExitCode.USAGE, message(e) + ". Choose another file or folder.");
      case IOException e ->
          new Verdict(ExitCode.SOFTWARE, "reading or writing failed: " + message(e) + ".");
      case LostRankException e -> new Verdict(ExitCode.SOFTWARE, message(e) + ".");
      case DivergedException e -> new Verdict(ExitCode.SOFTWARE, message(e) + ".");
      case InterruptedException _ -> new Verdict(INTERRUPTED, "interrupted.");
      case OutOfMemoryError e ->
          new Verdict(
              ExitCode.SOFTWARE,
              "out of memory (" + message(e) + "). Give Java more: BMOJO_OPTS=-Xmx4g ./bmojo …");
      case LinkageError e ->
          new Verdict(
              ExitCode.SOFTWARE,
              "a library could not be loaded (" + message(e) + "). Try ./bmojo doctor.");
      case RuntimeException e when message(e).contains("CUDA out of memory") ->
          new Verdict(
              ExitCode.SOFTWARE,
              "the GPU's memory does not suffice ("
                  + message(e)
                  + "). Lower --batch, and raise --accumulate to keep the tokens of an update.");
      default ->
          new Verdict(
              ExitCode.SOFTWARE,
              "unexpected "
                  + thrown.getClass().getSimpleName()
                  + ": "
                  + message(thrown)
                  + ". This is a defect of ours: please report it with what you ran, what it prints"
                  + " with --stacktrace, and ./bmojo doctor.");
    };
  }

  /** The first line: libtorch appends its C++ stack to every message. */
  private static String message(Throwable thrown) {
    String message = thrown.getMessage();
    return message == null
        ? thrown.getClass().getSimpleName()
        : message.lines().findFirst().orElse("");
  }

  /** A command line that could not be understood: what, the nearest word that could, the help. */
  @Override
  public int handleParseException(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    // An option's converter may refuse its value as bad input: then its words are the better ones.
    String what = e.getCause() instanceof BadInput bad ? message(bad) : e.getMessage();
    String name = command.getCommandSpec().qualifiedName();
    command.getErr().println(name + ": " + what);
    UnmatchedArgumentException.printSuggestions(e, command.getErr());
    command.getErr().println("Try: ./" + name + " --help");
    if (main.stacktrace) e.printStackTrace(command.getErr());
    return ExitCode.USAGE;
  }
}
