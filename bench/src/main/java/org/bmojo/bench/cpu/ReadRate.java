package org.bmojo.bench.cpu;

import java.util.Arrays;
import java.util.stream.IntStream;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/** How fast all cores together read memory, at this moment: on shared machines it changes. */
final class ReadRate {
  private static final VectorSpecies<Integer> SPECIES = IntVector.SPECIES_PREFERRED;
  private static final int INTS = 1 << 26; // 256 MB, beyond any cache
  private static final int PIECES = 64, ROUNDS = 4;

  private final int[] memory = new int[INTS];
  private volatile int sink;

  ReadRate() {
    Arrays.fill(memory, 1);
    for (int i = 0; i < 4; i++) bytesPerSecond(); // for the compiler
  }

  /** Bytes a second, the best of a few rounds of a few milliseconds each. */
  double bytesPerSecond() {
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
      long start = System.nanoTime();
      sink = IntStream.range(0, PIECES).parallel().map(this::sum).sum();
      best = Math.max(best, 4.0 * INTS / ((System.nanoTime() - start) * 1e-9));
    }
    return best;
  }

  private int sum(int piece) {
    int length = INTS / PIECES, lanes = SPECIES.length(), at = piece * length, end = at + length;
    IntVector a = IntVector.zero(SPECIES), b = a, c = a, d = a;
    for (; at < end; at += 4 * lanes) {
      a = a.add(IntVector.fromArray(SPECIES, memory, at));
      b = b.add(IntVector.fromArray(SPECIES, memory, at + lanes));
      c = c.add(IntVector.fromArray(SPECIES, memory, at + 2 * lanes));
      d = d.add(IntVector.fromArray(SPECIES, memory, at + 3 * lanes));
    }
    return a.add(b).add(c.add(d)).lane(0);
  }
}
