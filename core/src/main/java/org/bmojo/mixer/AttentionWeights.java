package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.StepInputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What one token attended to in one layer: the softmax over all memories, as the mean of the heads.
 * Operations never keep it, so it is computed anew from what a step reads, and only for those who
 * ask ({@link MixerState#watch}).
 *
 * <pre>
 *   fading           window          eidetic     storage
 *   ▁ ▁ ▂ ▁ | ▁ ▂ ▁ ▃ ▁ ▅ ▂ ▇ | ▁ ▆ ▂ ▁ | ▁ ▂        together 1
 * </pre>
 *
 * @param window the last W tokens, the current one included, oldest first
 * @param fading what the state made of the F tokens behind them
 * @param eidetic tokens held verbatim
 * @param storage the share of what came back from storage, whose positions heads do not agree on
 */
public record AttentionWeights(
    List<Seen> window, List<Seen> fading, List<Seen> eidetic, double storage) {
  /**
   * A token attended to.
   *
   * @param weight from 0 to 1
   */
  public record Seen(long position, double weight) {}

  /** What the tokens of one memory have together. */
  public static double share(List<Seen> memory) {
    return memory.stream().mapToDouble(Seen::weight).sum();
  }

  /**
   * The weights of a step.
   *
   * @param in of one sequence
   * @param fadingQ (1, H, D) where fading keys are read by queries of their own
   * @param held (1, E) the positions that eidetic memory holds; null where there is none
   */
  static AttentionWeights of(StepInputs in, @Nullable Tensor fadingQ, @Nullable Tensor held) {
    try (Scope _ = new Scope()) {
      long now = in.positions()[0];
      long newest = Math.max(0, now - in.geometry().window() + 1); // first one in the window
      long oldest = in.fading() == null ? newest : Math.max(0, newest - in.geometry().fading());
      List<Tensor> logits = new ArrayList<>();
      logits.add(logits(in, in.q(), rows(in.window(), newest, now + 1)));
      if (in.fading() != null && oldest < newest) {
        Tensor q = fadingQ == null ? in.q() : fadingQ;
        logits.add(logits(in, q, rows(in.fading(), oldest, newest)));
      }
      Eidetic far = in.eidetic();
      if (far != null) {
        logits.add(logits(in, far.q(), far.k().select(0, 0)).add(far.bias().select(0, 0)));
      }
      Tensor all = cat(1, logits.toArray(Tensor[]::new)); // (H, S)
      double[] weights = doubles(torch.softmax(all, 1).mean(0));
      long[] slots = held == null ? new long[0] : longs(held);
      int near = (int) (now + 1 - newest), behind = near + (int) (newest - oldest);
      double storage = 0;
      for (int i = behind + slots.length; i < weights.length; i++) storage += weights[i];
      return new AttentionWeights(
          seen(LongStream.rangeClosed(newest, now).toArray(), weights, 0),
          seen(LongStream.range(oldest, newest).toArray(), weights, near),
          seen(slots, weights, behind),
          storage);
    }
  }

  /** Positions beside their weights, which begin at {@code from}; empty slots are left out. */
  private static List<Seen> seen(long[] positions, double[] weights, int from) {
    List<Seen> seen = new ArrayList<>();
    for (int i = 0; i < positions.length; i++) {
      if (positions[i] >= 0) seen.add(new Seen(positions[i], weights[from + i]));
    }
    return List.copyOf(seen);
  }

  /** Keys of positions from … to−1 of a ring, (S, G, D). */
  private static Tensor rows(Stream ring, long from, long to) {
    Tensor slots = range(ring.k(), from, to).remainder(new Scalar(ring.k().size(1)));
    return ring.k().select(0, 0).index_select(0, slots);
  }

  /** Scaled products of the heads' queries (1, H, D) with keys (S, G, D), (H, S) float64. */
  private static Tensor logits(StepInputs in, Tensor q, Tensor k) {
    Tensor queries = q.select(0, 0).to(ScalarType.Double);
    Tensor keys =
        k.to(ScalarType.Double)
            .repeat_interleave(
                queries.size(0) / k.size(1), new LongOptional(1), new LongOptional());
    return einsum("hd,shd->hs", queries, keys).mul(scalar(in.geometry().scale()));
  }

  private static double[] doubles(Tensor row) {
    Tensor host = row.to(ScalarType.Double).cpu().contiguous();
    double[] values = new double[(int) host.numel()];
    new DoublePointer(host.data_ptr()).get(values);
    return values;
  }

  private static long[] longs(Tensor row) {
    double[] exact = doubles(row);
    return LongStream.range(0, exact.length).map(i -> (long) exact[(int) i]).toArray();
  }
}
