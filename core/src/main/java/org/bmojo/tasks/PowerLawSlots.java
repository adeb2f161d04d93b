package org.bmojo.tasks;

import java.util.random.RandomGenerator;

/**
 * Draws distinct slots one after the other, slot i with weight (i + 1)^(power − 1) among those
 * left. Power 1 is uniform; power 0.01 is close to 1/(i + 1), so that early slots go first.
 *
 * <p>The weights sit at the leaves of a binary tree of sums, as integers: a draw walks down in log₂
 * steps and taking its weight out is exact, so an emptied slot can never come up again.
 */
final class PowerLawSlots {
  private static final double HEAVIEST = 1L << 40; // times 2²² slots still fits a long

  private final int leaves; // a power of two
  private final long[] sums; // node n has children 2n and 2n + 1; slot i is node leaves + i

  PowerLawSlots(int slots, double power) {
    leaves = Math.max(1, Integer.highestOneBit(2 * slots - 1));
    sums = new long[2 * leaves];
    for (int i = 0; i < slots; i++) {
      sums[leaves + i] = Math.max(1, Math.round(HEAVIEST * Math.pow(i + 1, power - 1)));
    }
    for (int node = leaves - 1; node >= 1; node--) {
      sums[node] = sums[2 * node] + sums[2 * node + 1];
    }
  }

  /** n distinct slots in the order drawn; n must not exceed their number. */
  int[] draw(RandomGenerator random, int n) {
    long[] left = sums.clone();
    int[] drawn = new int[n];
    for (int k = 0; k < n; k++) {
      long r = random.nextLong(left[1]);
      int node = 1;
      while (node < leaves) {
        node *= 2;
        if (r >= left[node]) {
          r -= left[node];
          node++;
        }
      }
      drawn[k] = node - leaves;
      long weight = left[node];
      for (; node >= 1; node >>= 1) {
        left[node] -= weight;
      }
    }
    return drawn;
  }
}
