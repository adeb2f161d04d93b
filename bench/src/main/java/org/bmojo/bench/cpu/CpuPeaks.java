package org.bmojo.bench.cpu;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What the machine can do with all cores, to measure operations by.
 *
 * @param copy bytes a second read and written by a large copy
 * @param multiplyAdds floating-point operations a second, two for each multiply-add in registers
 * @param exponentials a second, by the platform's vector library from and to the first-level cache
 */
record CpuPeaks(double copy, double multiplyAdds, double exponentials) {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int CORES = Runtime.getRuntime().availableProcessors();
  private static final int ROUNDS = 20_000;
  private static final int CACHED = 2048;

  static CpuPeaks measure() {
    return new CpuPeaks(copyRate(), multiplyAddRate(), exponentialRate());
  }

  private static double copyRate() {
    try (Scope scope = new Scope()) {
      long count = 1L << 26;
      Tensor from = torch.ones(count), to = torch.zeros(count);
      return 2.0 * Float.BYTES * count / Stopwatch.best(() -> to.copy_(from));
    }
  }

  private static double multiplyAddRate() {
    float[] sink = new float[CORES];
    double seconds = Stopwatch.best(() -> everyCore(core -> sink[core] = chains()));
    return 2.0 * 8 * LANES * ROUNDS * CORES / seconds;
  }

  private static double exponentialRate() {
    float[][] x = new float[CORES][CACHED], y = new float[CORES][CACHED];
    for (float[] row : x) Arrays.fill(row, -0.7f);
    int repeats = ROUNDS / 100;
    double seconds =
        Stopwatch.best(() ->
            everyCore(core -> {
              for (int i = 0; i < repeats; i++) exponentials(x[core], y[core]);
            }));
    return 1.0 * CACHED * repeats * CORES / seconds;
  }

  private static void everyCore(IntConsumer work) {
    IntStream.range(0, CORES).parallel().forEach(work);
  }

  /** Eight chains, enough to hide the latency of each. */
  private static float chains() {
    FloatVector f = FloatVector.broadcast(SPECIES, 0.99f);
    FloatVector a = f, b = f, c = f, d = f, e = f, g = f, h = f, i = f;
    for (int round = 0; round < ROUNDS; round++) {
      a = a.fma(f, f);
      b = b.fma(f, f);
      c = c.fma(f, f);
      d = d.fma(f, f);
      e = e.fma(f, f);
      g = g.fma(f, f);
      h = h.fma(f, f);
      i = i.fma(f, f);
    }
    return a.add(b).add(c).add(d).add(e).add(g).add(h).add(i).lane(0);
  }

  private static void exponentials(float[] x, float[] y) {
    for (int i = 0; i < x.length; i += LANES) {
      FloatVector.fromArray(SPECIES, x, i).lanewise(VectorOperators.EXP).intoArray(y, i);
    }
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "copy %.1f GB/s, multiply-add %.0f GFLOP/s, exponentials %.2f G/s, %d lanes, %d cores",
        copy / 1e9,
        multiplyAdds / 1e9,
        exponentials / 1e9,
        LANES,
        CORES);
  }
}
