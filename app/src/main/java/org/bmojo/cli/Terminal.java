package org.bmojo.cli;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Optional;

/** Whether a person is looking. {@code System.console()} knows only input and output together. */
final class Terminal {
  static final int STDERR = 2;

  private Terminal() {}

  /** The C library's isatty; false where there is none. */
  static boolean isTerminal(int fileDescriptor) {
    boolean windows = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows");
    Linker linker = Linker.nativeLinker();
    Optional<MemorySegment> isatty = linker.defaultLookup().find(windows ? "_isatty" : "isatty");
    if (isatty.isEmpty()) return false;
    var call = linker.downcallHandle(isatty.get(), FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    try {
      return (int) call.invokeExact(fileDescriptor) != 0;
    } catch (Throwable e) {
      throw new AssertionError("isatty throws nothing", e);
    }
  }
}
