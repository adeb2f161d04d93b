package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** What storage brings back, from the definition: one sort for every chunk and head. */
final class NaiveStorage {
  private NaiveStorage() {}

  /**
   * A mask (H, T, T): 0 where a query sees a stored token, −∞ elsewhere.
   *
   * @param e scores
   * @param sets of eidetic memory, by chunk
   * @param q (T, H, D) as long-term memory sees queries
   * @param k (T, H, D) unrotated, every key/value head once for each query head
   */
  static Tensor seen(
      AttentionConfig a, EideticConfig memory, double[] e, List<long[]> sets, Tensor q, Tensor k) {
    StorageConfig storage = memory.storage();
    if (storage == null) throw new IllegalStateException("no storage");
    boolean[] passes = NaiveSets.passes(e, memory);
    int tokens = e.length, heads = a.heads(), each = heads / a.kvHeads();
    double[][][] products = new double[heads][tokens][tokens]; // query, key
    for (int h = 0; h < heads; h++) {
      Tensor all = q.select(1, h).matmul(k.select(1, h).t());
      for (int i = 0; i < tokens; i++) {
        for (int j = 0; j < tokens; j++) {
          products[h][i][j] = all.select(0, i).select(0, j).item_double();
        }
      }
    }
    double[] mask = new double[heads * tokens * tokens];
    Arrays.fill(mask, Double.NEGATIVE_INFINITY);
    for (int c = 0; c * memory.chunk() < tokens; c++) {
      int start = c * memory.chunk();
      Set<Long> held = Arrays.stream(sets.get(c)).boxed().collect(Collectors.toSet());
      for (int g = 0; g < a.kvHeads(); g++) {
        int group = g;
        int[] best =
            IntStream.rangeClosed(0, start - memory.behind(a.reach()))
                .filter(j -> passes[j] && e[j] > Double.NEGATIVE_INFINITY)
                .filter(j -> !held.contains((long) j))
                .boxed()
                .sorted(
                    Comparator.comparingDouble(
                        j -> -resemblance(storage, products, group, each, start, j)))
                .limit(storage.retrieved())
                .mapToInt(j -> j)
                .toArray();
        for (int h = g * each; h < (g + 1) * each; h++) {
          for (int i = start; i < Math.min(tokens, start + memory.chunk()); i++) {
            for (int j : best) mask[(h * tokens + i) * tokens + j] = 0;
          }
        }
      }
    }
    return Tensor.create(mask, heads, tokens, tokens);
  }

  private static double resemblance(
      StorageConfig storage, double[][][] products, int group, int each, int start, int key) {
    List<Double> all = new ArrayList<>();
    for (int h = group * each; h < (group + 1) * each; h++) {
      for (int s = 0; s < storage.queries(); s++) {
        all.add(products[h][Math.max(0, start - s)][key]);
      }
    }
    var numbers = all.stream().mapToDouble(x -> x);
    return storage.summary() == StorageConfig.Summary.MAX
        ? numbers.max().orElseThrow()
        : numbers.average().orElseThrow();
  }
}
