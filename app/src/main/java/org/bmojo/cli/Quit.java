package org.bmojo.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;

/**
 * The end of the process at once. The JVM's own ways out run what libraries want done at their end,
 * and a GPU that waits for a lost process keeps them from it for good.
 */
final class Quit {
  private Quit() {}

  /** Does not return. */
  static void now(int exitCode) {
    System.err.flush();
    try {
      Linker linker = Linker.nativeLinker();
      linker
          .downcallHandle(
              linker.defaultLookup().findOrThrow("_exit"),
              FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT))
          .invokeExact(exitCode);
    } catch (Throwable noSuchFunction) {
      Runtime.getRuntime().halt(exitCode);
    }
  }
}
