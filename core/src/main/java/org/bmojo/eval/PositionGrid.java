package org.bmojo.eval;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Positions in a document by their logarithm: four bins to an octave, with every power of two from
 * 16 on a boundary, so that a mean over positions 8K to 32K is a sum of whole bins.
 */
final class PositionGrid {
  private static final int PER_OCTAVE = 4;

  /** Boundaries: bin i is [bounds[i], bounds[i + 1]). */
  private static final int[] BOUNDS =
      IntStream.concat(
              IntStream.of(0),
              IntStream.range(4 * PER_OCTAVE, 31 * PER_OCTAVE)
                  .map(k -> (int) Math.round(Math.pow(2, (double) k / PER_OCTAVE))))
          .toArray();

  private PositionGrid() {}

  /** The bin of position {@code t}, from 0. */
  static int bin(int t) {
    int at = Arrays.binarySearch(BOUNDS, t);
    return at >= 0 ? at : -at - 2;
  }

  /** Where bin {@code i} begins. */
  static int from(int i) {
    return BOUNDS[i];
  }

  /** Where it ends. */
  static int to(int i) {
    return i + 1 < BOUNDS.length ? BOUNDS[i + 1] : Integer.MAX_VALUE;
  }
}
