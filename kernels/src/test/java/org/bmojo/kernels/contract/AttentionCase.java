package org.bmojo.kernels.contract;

import static org.bmojo.kernels.op.MemoryAttention.UNBOUNDED;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Sizes of one call of memory attention.
 *
 * @param past rows of the window's stream before the first query: P
 * @param fadingPast the same of the fading stream
 * @param slots E
 */
record AttentionCase(
    ScalarType type,
    long batch,
    long tokens,
    long heads,
    long groups,
    long dim,
    long start,
    int window,
    int fading,
    int slots,
    int chunk,
    long past,
    long fadingPast) {

  private static final int[][] CHOSEN = {
    // B, T, H, G, D, start, W, F, E, C, P, P'
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1}, // itself and one fading key
    {2, 13, 4, 2, 8, 0, 4, 4, 3, 2, 0, 0}, // the worked example's shape
    {1, 63, 2, 1, 13, 0, 16, 8, 5, 4, 0, 0},
    {2, 13, 2, 2, 5, 7, 4, 3, 2, 5, 7, 7}, // starts inside a chunk
    {1, 63, 1, 1, 16, 0, 3, 2, 4, 16, 0, 0}, // C > W
    {1, 13, 2, 1, 4, 0, 207, 13, 2, 4, 0, 0}, // T < W
    {1, 207, 2, 1, 16, 0, UNBOUNDED, 0, 0, 1, 0, 0},
    {2, 33, 3, 3, 6, 50, UNBOUNDED, 0, 7, 13, 50, 0},
    {1, 65, 2, 2, 7, 130, 1, 63, 0, 1, 63, 129}, // the window is the query alone
    {1, 207, 6, 2, 32, 0, 63, 64, 31, 32, 0, 0},
    {1, 70, 1, 1, 207, 300, 13, 40, 70, 207, 12, 52}, // wide heads
    {1, 300, 2, 2, 8, 513, 128, 100, 13, 64, 200, 513},
    {1, 13, 2, 1, 4, 100, 8, 8, 2, 4, 0, 0}, // the past is missing
    {1, 600, 2, 1, 8, 0, 64, 64, 16, 48, 0, 0}, // long enough to be cut up
    {1, 1, 2, 1, 4, 29, 8, 8, 6, 4, 29, 29},
  };

  /** The cases above, then as many drawn ones. */
  static Stream<AttentionCase> of(ScalarType type, int drawn) {
    return Stream.concat(
        Stream.of(CHOSEN).map(n -> of(type, n)),
        IntStream.range(0, drawn).mapToObj(seed -> draw(type, seed)));
  }

  private static AttentionCase of(ScalarType type, int[] n) {
    return new AttentionCase(
        type, n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11]);
  }

  private static AttentionCase draw(ScalarType type, long seed) {
    SplittableRandom r = new SplittableRandom(seed);
    int groups = r.nextInt(1, 4), start = r.nextInt(100);
    return new AttentionCase(
        type,
        r.nextInt(1, 4),
        r.nextInt(1, 90),
        groups * r.nextInt(1, 4),
        groups,
        r.nextInt(1, 40),
        start,
        r.nextInt(8) == 0 ? UNBOUNDED : r.nextInt(1, 60),
        r.nextInt(3) == 0 ? 0 : r.nextInt(60),
        r.nextInt(3) == 0 ? 0 : r.nextInt(1, 80),
        r.nextInt(1, 40),
        r.nextInt(start + 1),
        r.nextInt(start + 1));
  }

  Geometry geometry() {
    return new Geometry(start, window, fading, chunk, 1 / Math.sqrt(dim));
  }

  /** M, by counting. */
  int chunks() {
    return (int) LongStream.range(start, start + tokens).map(i -> i / chunk).distinct().count();
  }

  long seed() {
    return List.of(tokens, heads, dim, start, window, fading, slots, chunk).hashCode();
  }
}
