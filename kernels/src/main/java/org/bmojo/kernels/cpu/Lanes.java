package org.bmojo.kernels.cpu;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.bmojo.kernels.torch.Floats;

/** The machine's widest vector of floats, and its loads and stores, whole or cut short. */
public final class Lanes {
  /** 16 lanes with AVX-512, 8 with AVX2, 4 with NEON. */
  public static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** How many floats a vector has. */
  public static final int LANES = SPECIES.length();

  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private Lanes() {}

  /** {@code count} rounded up to whole vectors. */
  public static int padded(int count) {
    return (count + LANES - 1) / LANES * LANES;
  }

  /** Elements from {@code index} on, zero from the {@code count}-th on. */
  public static FloatVector load(Floats from, long index, int count) {
    if (count >= LANES) return load(from, index);
    var mask = SPECIES.indexInRange(0, count);
    return FloatVector.fromMemorySegment(SPECIES, from.memory(), index * Float.BYTES, ORDER, mask);
  }

  /** A whole vector from {@code index} on. */
  public static FloatVector load(Floats from, long index) {
    return FloatVector.fromMemorySegment(SPECIES, from.memory(), index * Float.BYTES, ORDER);
  }

  /** A whole vector from an array. */
  public static FloatVector load(float[] from, int index) {
    return FloatVector.fromArray(SPECIES, from, index);
  }

  /** Writes the first {@code count} lanes. */
  public static void store(FloatVector v, Floats to, long index, int count) {
    if (count >= LANES) {
      store(v, to, index);
    } else {
      var mask = SPECIES.indexInRange(0, count);
      v.intoMemorySegment(to.memory(), index * Float.BYTES, ORDER, mask);
    }
  }

  /** Writes a whole vector. */
  public static void store(FloatVector v, Floats to, long index) {
    v.intoMemorySegment(to.memory(), index * Float.BYTES, ORDER);
  }

  /** The same number in every lane. */
  public static FloatVector all(float value) {
    return FloatVector.broadcast(SPECIES, value);
  }

  /**
   * The sum over the lanes, in the same order always: {@code reduceLanes} promises none, and
   * compiled and interpreted code do differ.
   *
   * @param lanes room for one vector
   */
  public static float sum(FloatVector v, float[] lanes) {
    v.intoArray(lanes, 0);
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    }
    return lanes[0];
  }
}
