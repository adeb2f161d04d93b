package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.RotaryCache;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Tokens on their way from eidetic memory to storage: those that had a place and lost it, and those
 * that came to be eligible and got none. What passes out of the window and gets a place goes to
 * storage only when it loses it: until then it is at hand, and would be found twice.
 */
final class Evicted {
  private Evicted() {}

  /**
   * Who could be in a set: [kept | tail | new], P = W + C − 1 or all there are.
   *
   * @param kept (B, E) positions of the last set, −1 where empty
   * @param scores (B, E + P + T), −∞ for tokens that must not be kept
   * @param k (B, E + P + T, G, D) unrotated
   * @param v (B, E + P + T, G, D)
   */
  record Candidates(Tensor kept, Tensor scores, Tensor k, Tensor v) {}

  /**
   * Hands over what is not in the last chunk's set any more.
   *
   * @param members (B, M, E) rows of the candidates that are in a chunk's set
   * @param start position of the first new token
   */
  static void handOver(
      EideticSelect.Rule rule, Candidates all, Tensor members, long start, Stores stores) {
    long chunks = members.size(1);
    long limit = (start / rule.chunk() + chunks - 1) * rule.chunk() - rule.window();
    handOver(rule, all, members.select(1, chunks - 1), start, limit, stores);
  }

  /** Hands over all that is left when a sequence ends at {@code position}. */
  static void handOverRest(
      EideticSelect.Rule rule,
      MixerState.Attention past,
      long position,
      @Nullable RotaryCache rotary) {
    EideticMemory.State held = past.eidetic;
    if (held == null) return;
    try (Scope _ = new Scope()) {
      MemoryAttention.Stream tail = past.unrotatedTail(position, rotary);
      Tensor scores = cat(1, held.scores.get(), held.recent.before(position, rule.tail(position)));
      Tensor k = cat(1, held.k.get(), tail.k()), v = cat(1, held.v.get(), tail.v());
      Tensor nobody = held.positions.get().mul(new Scalar(0L)).sub(new Scalar(1L));
      var all = new Candidates(held.positions.get(), scores, k, v);
      handOver(rule, all, nobody, position, Long.MAX_VALUE, past.stores);
    }
  }

  private static void handOver(
      EideticSelect.Rule rule,
      Candidates all,
      Tensor staying,
      long start,
      long limit,
      Stores stores) {
    long count = all.scores.size(1), decided = rule.refreshedBefore(start);
    int capacity = rule.capacity(), tail = rule.tail(start);
    for (int b = 0; b < stores.rows().size(); b++) {
      try (Scope _ = new Scope()) {
        Floats scores = Floats.of(all.scores.select(0, b).to(ScalarType.Float).cpu());
        long[] kept = StorageAnswers.longs(all.kept.select(0, b));
        Set<Long> members = new HashSet<>();
        for (long r : StorageAnswers.longs(staying.select(0, b))) members.add(r);
        List<Long> rows = new ArrayList<>(), positions = new ArrayList<>();
        for (long r = 0; r < count; r++) {
          long position = r < capacity ? kept[(int) r] : start - tail + r - capacity;
          boolean old = r < capacity && position >= 0;
          boolean fresh = r >= capacity && position > decided && position <= limit;
          boolean worth = scores.get(r) > Float.NEGATIVE_INFINITY;
          if ((old || fresh) && worth && !members.contains(r)) {
            rows.add(r);
            positions.add(position);
          }
        }
        if (!rows.isEmpty()) hand(all, b, rows, positions, scores, stores.rows().get(b).storage);
      }
    }
  }

  private static void hand(
      Candidates all,
      int b,
      List<Long> rows,
      List<Long> positions,
      Floats scores,
      Storage storage) {
    long[] index = rows.stream().mapToLong(r -> r).toArray();
    float[][][] keys = vectors(all.k.select(0, b), index);
    float[][][] values = vectors(all.v.select(0, b), index);
    for (int i = 0; i < index.length; i++) {
      storage.keep(positions.get(i), scores.get(index[i]), keys[i], values[i]);
    }
  }

  /** Some rows of (L, G, D). */
  private static float[][][] vectors(Tensor t, long... rows) {
    Tensor some = t.index_select(0, Positions.index(t, rows)).to(ScalarType.Float).cpu();
    Floats floats = Floats.of(some);
    int groups = (int) t.size(1), dim = (int) t.size(2);
    float[][][] vectors = new float[rows.length][groups][dim];
    for (int i = 0; i < rows.length; i++) {
      for (int g = 0; g < groups; g++) {
        floats.read(((long) i * groups + g) * dim, vectors[i][g], 0, dim);
      }
    }
    return vectors;
  }
}
