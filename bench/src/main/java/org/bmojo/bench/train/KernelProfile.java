package org.bmojo.bench.train;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * What the GPU did between {@link #start} and {@link #print}: every kernel, copy and fill with its
 * time, by CUPTI's activity records. One at a time; the library must be on the loader's path.
 */
final class KernelProfile {
  private static final int MEMCPY = 1, MEMSET = 2, KERNEL = 10;
  private static final long BUFFER = 8L << 20;
  private static final int NAME = 104, START = 16, END = 24; // offsets in the records

  private record Record(String name, long start, long end) {}

  private static final Linker LINKER = Linker.nativeLinker();
  private static final ConcurrentLinkedQueue<Record> RECORDS = new ConcurrentLinkedQueue<>();

  private final SymbolLookup cupti = SymbolLookup.libraryLookup("libcupti.so.13", Arena.global());
  private static @Nullable MethodHandle next;

  private KernelProfile() {}

  static KernelProfile start() {
    try {
      KernelProfile profile = new KernelProfile();
      next = profile.find("cuptiActivityGetNextRecord", ADDRESS, JAVA_LONG, ADDRESS);
      MethodHandles.Lookup own = MethodHandles.lookup();
      MemorySegment requested =
          LINKER.upcallStub(
              own.findStatic(
                  KernelProfile.class,
                  "requested",
                  MethodType.methodType(
                      void.class, MemorySegment.class, MemorySegment.class, MemorySegment.class)),
              FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS),
              Arena.global());
      MemorySegment completed =
          LINKER.upcallStub(
              own.findStatic(
                  KernelProfile.class,
                  "completed",
                  MethodType.methodType(
                      void.class,
                      MemorySegment.class,
                      int.class,
                      MemorySegment.class,
                      long.class,
                      long.class)),
              FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG),
              Arena.global());
      check(
          (int)
              profile
                  .find("cuptiActivityRegisterCallbacks", ADDRESS, ADDRESS)
                  .invokeExact(requested, completed));
      for (int kind : new int[] {KERNEL, MEMCPY, MEMSET}) {
        check((int) profile.find("cuptiActivityEnable", JAVA_INT).invokeExact(kind));
      }
      return profile;
    } catch (Throwable e) {
      throw new IllegalStateException("no profile: " + e, e);
    }
  }

  private MethodHandle find(String name, java.lang.foreign.MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        cupti.find(name).orElseThrow(), FunctionDescriptor.of(JAVA_INT, arguments));
  }

  private static void check(int result) {
    if (result != 0) throw new IllegalStateException("CUPTI error " + result);
  }

  private static void requested(
      MemorySegment buffer, MemorySegment size, MemorySegment maxRecords) {
    MemorySegment fresh = Arena.global().allocate(BUFFER, 8);
    buffer.reinterpret(8).set(ADDRESS, 0, fresh);
    size.reinterpret(8).set(JAVA_LONG, 0, BUFFER);
    maxRecords.reinterpret(8).set(JAVA_LONG, 0, 0);
  }

  private static void completed(
      MemorySegment context, int stream, MemorySegment buffer, long size, long valid) {
    MethodHandle records = next;
    if (records == null) throw new IllegalStateException("not started");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment at = arena.allocate(ADDRESS);
      while ((int) records.invokeExact(buffer, valid, at) == 0) {
        MemorySegment r = at.get(ADDRESS, 0).reinterpret(NAME + 8);
        int kind = r.get(JAVA_INT, 0);
        String name =
            switch (kind) {
              case KERNEL -> r.get(ADDRESS, NAME).reinterpret(4096).getString(0);
              case MEMCPY -> "memcpy";
              case MEMSET -> "memset";
              default -> null;
            };
        if (name != null) {
          RECORDS.add(new Record(name, r.get(JAVA_LONG, START), r.get(JAVA_LONG, END)));
        }
      }
    } catch (Throwable e) {
      e.printStackTrace();
    }
  }

  /** Totals by kernel, the longest first, divided by {@code steps}. */
  void print(int steps, int rows) {
    try {
      check((int) find("cuptiActivityFlushAll", JAVA_INT).invokeExact(1));
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    List<Record> records = new ArrayList<>(RECORDS);
    RECORDS.clear();
    Map<String, long[]> totals = new LinkedHashMap<>();
    long busy = 0, first = Long.MAX_VALUE, last = 0;
    for (Record r : records) {
      long[] t = totals.computeIfAbsent(r.name, _ -> new long[2]);
      t[0] += r.end - r.start;
      t[1]++;
      busy += r.end - r.start;
      first = Math.min(first, r.start);
      last = Math.max(last, r.end);
    }
    System.out.printf(
        Locale.ROOT,
        "busy %.2f ms of %.2f a step, %d launches%n",
        busy / 1e6 / steps,
        (last - first) / 1e6 / steps,
        records.size() / steps);
    totals.entrySet().stream()
        .sorted((a, b) -> Long.compare(b.getValue()[0], a.getValue()[0]))
        .limit(rows)
        .forEach(e ->
            System.out.printf(
                Locale.ROOT,
                "%8.3f ms %6.1f x  %s%n",
                e.getValue()[0] / 1e6 / steps,
                (double) e.getValue()[1] / steps,
                e.getKey().substring(0, Math.min(150, e.getKey().length()))));
  }
}
