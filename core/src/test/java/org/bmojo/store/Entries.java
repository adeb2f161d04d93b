package org.bmojo.store;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Random entries that are known again by their position: it decides all else. */
public final class Entries {
  /** Two layers of three heads: D = 13 fills no vector register. */
  public static final StoreIdentity MODEL = new StoreIdentity(13, 2, 3, "made-for-tests");

  /** When entry 0 was stored; entry p was stored p milliseconds later. */
  public static final long EPOCH = 1_700_000_000_000L;

  private Entries() {}

  /** Layer p mod 2, head p mod 3; of session p mod 4 and document p mod 5. */
  public static Entry at(long position) {
    SplittableRandom random = new SplittableRandom(position);
    float length = random.nextFloat(.5f, 2); // Norms differ, as those of real keys do.
    return new Entry(
        (int) (position % MODEL.layers()),
        (int) (position % MODEL.heads()),
        vector(random, length),
        vector(random, 1),
        position,
        random.nextFloat(),
        new Source(
            "session " + position % 4,
            EPOCH + position,
            new TextSpan("document " + position % 5, position, position + 1)));
  }

  /** Entries {@code from} ≤ p &lt; {@code to}. */
  public static List<Entry> range(long from, long to) {
    List<Entry> entries = new ArrayList<>();
    for (long p = from; p < to; p++) entries.add(at(p));
    return entries;
  }

  /** (count, D). */
  public static float[][] queries(int count, long seed) {
    SplittableRandom random = new SplittableRandom(~seed);
    float[][] queries = new float[count][];
    for (int q = 0; q < count; q++) queries[q] = vector(random, 1);
    return queries;
  }

  private static float[] vector(SplittableRandom random, float length) {
    float[] v = new float[MODEL.dimension()];
    for (int i = 0; i < v.length; i++) v[i] = (float) random.nextGaussian() * length;
    return v;
  }
}
