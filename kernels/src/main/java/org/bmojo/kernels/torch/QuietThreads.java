package org.bmojo.kernels.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the threads of native libraries sleep between turns. libtorch's, its BLAS's and Java's take
 * turns on the same cores; those that wait by spinning keep the others from running, and make a
 * training step on two cores four times slower. The libraries read this from the environment when
 * they are loaded, so it has to be said before; what the user has set stays.
 */
final class QuietThreads {
  private static final Logger LOG = LoggerFactory.getLogger(QuietThreads.class);

  private QuietThreads() {}

  /** Says it; where there is no {@code setenv} (Windows), only the launcher can. */
  static void prefer() {
    Linker linker = Linker.nativeLinker();
    Optional<MemorySegment> setenv = linker.defaultLookup().find("setenv");
    if (setenv.isEmpty()) return;
    var description = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
    MethodHandle set = linker.downcallHandle(setenv.get(), description);
    try (Arena arena = Arena.ofConfined()) {
      set(set, arena, "OMP_WAIT_POLICY", "PASSIVE");
      set(set, arena, "OPENBLAS_THREAD_TIMEOUT", "4");
    } catch (Throwable e) {
      LOG.warn("native threads may spin: {}", e.toString());
    }
  }

  private static void set(MethodHandle set, Arena arena, String name, String value)
      throws Throwable {
    int unlessThere = 0;
    int failed =
        (int) set.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), unlessThere);
    if (failed != 0) LOG.warn("{} could not be set", name);
  }
}
