package org.bmojo.data;

import java.nio.charset.StandardCharsets;

/**
 * Hashes that decide what is in which split and in which order. They must never change: a model's
 * held-out documents would become training data.
 */
final class Hash {
  private Hash() {}

  /** Spreads the bits of {@code z}: the finaliser of SplitMix64. */
  static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /** FNV-1a over the text's UTF-8, begun from the seed, its bits spread at the end. */
  static long of(String text, long seed) {
    long h = 0xcbf29ce484222325L ^ mix(seed + 0x9e3779b97f4a7c15L);
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) h = (h ^ (b & 0xff)) * 0x100000001b3L;
    return mix(h);
  }
}
