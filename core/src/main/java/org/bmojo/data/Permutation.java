package org.bmojo.data;

/**
 * A pseudo-random order of {@code 0 … size − 1}, computed and not stored: a Feistel network
 * permutes the numbers of the least even count of bits that reaches {@code size}, and is applied
 * again while the result is too large (at most four times on average).
 *
 * @param size how many numbers, 1 to 2^62
 * @param key decides the order
 */
record Permutation(long size, long key) {
  private static final int ROUNDS = 6;

  Permutation {
    if (size < 1 || size > 1L << 62) throw new IllegalArgumentException("size " + size);
  }

  /** The number at place {@code i}. */
  long at(long i) {
    int half = Math.max(1, (65 - Long.numberOfLeadingZeros(size - 1)) / 2); // bits
    long mask = (1L << half) - 1;
    long x = i;
    do {
      long left = x >>> half;
      long right = x & mask;
      for (int round = 0; round < ROUNDS; round++) {
        long f = Hash.mix(key + Hash.mix(right + 0x9e3779b97f4a7c15L * (round + 1)));
        long next = left ^ (f & mask);
        left = right;
        right = next;
      }
      x = left << half | right;
    } while (x >= size);
    return x;
  }
}
