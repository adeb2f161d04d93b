package org.bmojo.bench.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** How many multiply-adds a core does when nothing else is in their way. */
final class FmaPeak {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final int STEPS = 200_000;

  /** Independent sums, enough to hide an instruction's latency on two units. */
  private static final int SUMS = 10;

  private FmaPeak() {}

  /** float32 GFLOP/s of one core. */
  static double measure() {
    return 2.0 * SUMS * S.length() * STEPS / Clock.onOneCore(FmaPeak::spin) * 1e-9;
  }

  private static void spin() {
    FloatVector x = FloatVector.broadcast(S, 0.999f);
    FloatVector a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x;
    for (int step = 0; step < STEPS; step++) {
      a = a.fma(x, x);
      b = b.fma(x, x);
      c = c.fma(x, x);
      d = d.fma(x, x);
      e = e.fma(x, x);
      f = f.fma(x, x);
      g = g.fma(x, x);
      h = h.fma(x, x);
      i = i.fma(x, x);
      j = j.fma(x, x);
    }
    float sum = a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).lane(0);
    if (!Float.isFinite(sum)) throw new IllegalStateException("the sums have overflowed");
  }
}
