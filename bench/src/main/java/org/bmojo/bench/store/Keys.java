package org.bmojo.bench.store;

import java.util.SplittableRandom;

/**
 * Keys as a trained head makes them, roughly: clustered, of different lengths. A key is decided by
 * its number, so that the truth needs no copy of them.
 */
final class Keys {
  static final int DIMENSION = 64;

  private static final int CLUSTERS = 1000;
  private static final double SPREAD = 1;

  private final float[][] centres = new float[CLUSTERS][];

  Keys() {
    SplittableRandom random = new SplittableRandom(1);
    for (int c = 0; c < CLUSTERS; c++) centres[c] = gaussian(random, 1);
  }

  /** (64); negative numbers are queries, from the same clusters. */
  float[] at(long number) {
    SplittableRandom random = new SplittableRandom(number);
    float[] centre = centres[random.nextInt(CLUSTERS)];
    float[] key = gaussian(random, SPREAD);
    double length = .5 + 1.5 * random.nextDouble();
    for (int i = 0; i < DIMENSION; i++) key[i] = (float) ((key[i] + centre[i]) * length);
    return key;
  }

  private static float[] gaussian(SplittableRandom random, double deviation) {
    float[] v = new float[DIMENSION];
    for (int i = 0; i < DIMENSION; i++) v[i] = (float) (random.nextGaussian() * deviation);
    return v;
  }
}
