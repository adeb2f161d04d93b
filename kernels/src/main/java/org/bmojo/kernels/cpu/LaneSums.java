package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.SPECIES;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Sums over the lanes of many vectors at once. As many vectors as there are lanes are folded into
 * one by halves: lanes are exchanged between two vectors, which are then added. That takes about
 * four operations a vector, and the order of the additions is always the same.
 */
public final class LaneSums {
  private static final int STEPS = Integer.numberOfTrailingZeros(LANES);

  /** For each step the lanes that take the second vector's sums, and the exchange of halves. */
  private static final List<VectorMask<Float>> UPPER = new ArrayList<>();

  private static final List<VectorShuffle<Float>> SWAP = new ArrayList<>();

  static {
    for (int half = LANES / 2; half > 0; half /= 2) {
      int bit = half;
      boolean[] upper = new boolean[LANES];
      for (int lane = 0; lane < LANES; lane++) upper[lane] = (lane & bit) != 0;
      UPPER.add(VectorMask.fromArray(SPECIES, upper, 0));
      SWAP.add(VectorShuffle.fromOp(SPECIES, lane -> lane ^ bit));
    }
  }

  private LaneSums() {}

  /**
   * Sets {@code sums[k]} to the sum over the lanes of vector k, for k below {@code count}.
   *
   * @param vectors one after another, {@code count} rounded up to whole vectors; overwritten
   * @param sums the same number of floats
   */
  public static void of(float[] vectors, int count, float[] sums) {
    of(vectors, 0, count, sums, 0);
  }

  /** The same of vectors from {@code from} on, to {@code sums[at]} and following. */
  public static void of(float[] vectors, int from, int count, float[] sums, int at) {
    for (int k = 0; k < count; k += LANES) {
      for (int step = 0; step < STEPS; step++) {
        fold(vectors, from + k * LANES, LANES >> (step + 1), UPPER.get(step), SWAP.get(step));
      }
      load(vectors, from + k * LANES).intoArray(sums, at + k);
    }
  }

  /** Adds vector j + half to vector j for every j below half. */
  private static void fold(
      float[] vectors, int first, int half, VectorMask<Float> upper, VectorShuffle<Float> swap) {
    for (int j = 0; j < half; j++) {
      int at = first + j * LANES;
      FloatVector a = load(vectors, at), b = load(vectors, at + half * LANES);
      a.blend(b, upper).add(b.blend(a, upper).rearrange(swap)).intoArray(vectors, at);
    }
  }
}
