package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Eidetic sets from all scores at once: no merging, no state, one sort for every chunk. */
final class NaiveSets {
  private NaiveSets() {}

  /** Positions, ascending, for every chunk. */
  static List<long[]> of(double[] e, EideticConfig config, int window) {
    boolean[] passes = passes(e, config);
    List<long[]> sets = new ArrayList<>();
    for (int start = 0; start < e.length; start += config.chunk()) {
      // Best first; of equals the later.
      Comparator<Integer> order =
          Comparator.<Integer>comparingDouble(j -> e[j]).thenComparing(j -> j).reversed();
      sets.add(
          IntStream.rangeClosed(0, start - config.behind(window))
              .filter(j -> passes[j] && e[j] > Double.NEGATIVE_INFINITY)
              .boxed()
              .sorted(order)
              .limit(config.capacity())
              .mapToLong(j -> j)
              .sorted()
              .toArray());
    }
    return sets;
  }

  /** Whether each token passes the threshold at the time it is read. */
  static boolean[] passes(double[] e, EideticConfig config) {
    boolean[] passes = new boolean[e.length];
    Arrays.fill(passes, true);
    Threshold threshold = config.threshold();
    if (threshold == null) return passes;
    Double absolute = threshold.absolute(), quantile = threshold.quantile();
    double tau = 1;
    for (int j = 0; j < e.length; j++) {
      passes[j] = e[j] > (absolute != null ? absolute : tau);
      if (quantile != null) tau *= Math.exp(0.05 * (passes[j] ? quantile : quantile - 1));
    }
    return passes;
  }
}
