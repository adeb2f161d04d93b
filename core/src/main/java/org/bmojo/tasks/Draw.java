package org.bmojo.tasks;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** The few ways of drawing that several tasks share. */
final class Draw {
  private Draw() {}

  /**
   * A generator of its own for every (seed, index), so any example can be drawn without the rest.
   */
  static RandomGenerator random(long seed, long index) {
    return new SplittableRandom(mix(mix(seed) + index));
  }

  /** n distinct ids of {@code from … to − 1}; every ordered choice is equally likely. */
  static int[] distinct(RandomGenerator random, int from, int to, int n) {
    // Floyd's subset sampling: n draws whatever the pool's size, no retries. It leaves later places
    // biased towards large ids, hence the shuffle.
    int pool = to - from;
    long[] taken = new long[(pool + 63) >>> 6];
    int[] ids = new int[n];
    for (int i = 0, last = pool - n; i < n; i++, last++) {
      int id = random.nextInt(last + 1);
      if ((taken[id >>> 6] >>> id & 1) != 0) {
        id = last;
      }
      taken[id >>> 6] |= 1L << id;
      ids[i] = from + id;
    }
    shuffle(random, ids);
    return ids;
  }

  static void shuffle(RandomGenerator random, int[] ids) {
    for (int i = ids.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int id = ids[i];
      ids[i] = ids[j];
      ids[j] = id;
    }
  }

  /** The finaliser of SplitMix64: neighbouring inputs give unrelated outputs, one to one. */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
