package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** A stable sort of all candidates for every chunk. */
public final class ReferenceEideticSelect implements EideticSelect {
  @Override
  public Output forward(
      Rule rule,
      Tensor scores,
      long start,
      Tensor keptPositions,
      Tensor keptScores,
      @Nullable Tensor begin) {
    rule.expectFit(scores, start, keptPositions, keptScores, begin);
    try (Scope scope = new Scope()) {
      int capacity = rule.capacity();
      long batch = scores.size(0), tail = rule.tail(start), tokens = scores.size(1) - tail;
      Tensor recent = range(scores, start - tail, start + tokens).expand(batch, tail + tokens);
      Tensor positions = cat(1, keptPositions, recent); // (B, E + P + T)
      Tensor all = cat(1, keptScores.to(scores.scalar_type()), scores);
      // A kept token may stand in the tail as well: count it once, as kept.
      long refreshed = rule.refreshedBefore(start);
      Tensor seen = cat(1, keptPositions.lt(new Scalar(0L)), recent.le(new Scalar(refreshed)));
      all = all.masked_fill(seen, scalar(Double.NEGATIVE_INFINITY));

      int chunks = rule.chunks(start, tokens);
      Tensor[] chosenPositions = new Tensor[chunks], chosenRows = new Tensor[chunks];
      for (int m = 0; m < chunks; m++) {
        long chunkStart = (start / rule.chunk() + m) * rule.chunk();
        long last = m == 0 && chunkStart < start ? -1 : chunkStart - rule.window();
        Tensor eligible = eligible(positions, capacity, last);
        if (begin != null && chunkStart >= start) {
          Tensor document = begin.narrow(1, chunkStart - start, 1).add(new Scalar(start));
          eligible = eligible.logical_and(positions.ge(document));
        }
        Tensor masked = all.masked_fill(eligible.logical_not(), scalar(Double.NEGATIVE_INFINITY));
        Tensor[] set = best(masked, positions, capacity);
        chosenPositions[m] = set[0];
        chosenRows[m] = set[1];
      }
      return new Output(scope.keep(stack(1, chosenPositions)), scope.keep(stack(1, chosenRows)));
    }
  }

  /**
   * Kept tokens stay candidates whatever their position; of the others those up to {@code last}.
   */
  private static Tensor eligible(Tensor positions, int capacity, long last) {
    Tensor eligible = positions.le(new Scalar(last));
    eligible.narrow(1, 0, capacity).fill_(new Scalar(1L));
    return eligible;
  }

  /** Positions and rows of the E best, ascending by position, −1 and 0 for empty slots. */
  private static Tensor[] best(Tensor scores, Tensor positions, int capacity) {
    // Latest first, then a stable sort by score: ties go to the later position.
    Tensor latest = torch.argsort(positions, true, 1, true);
    Tensor order = torch.argsort(scores.gather(1, latest), true, 1, true);
    Tensor rows = latest.gather(1, order);
    rows = rows.narrow(1, 0, Math.min(capacity, rows.size(1)));
    Tensor empty = scores.gather(1, rows).eq(scalar(Double.NEGATIVE_INFINITY));
    Tensor chosen = positions.gather(1, rows);
    Tensor key = chosen.masked_fill(empty, new Scalar(Long.MAX_VALUE));
    Tensor ascending = torch.argsort(key, true, 1, false);
    empty = empty.gather(1, ascending);
    return new Tensor[] {
      chosen.gather(1, ascending).masked_fill(empty, new Scalar(-1L)),
      rows.gather(1, ascending).masked_fill(empty, new Scalar(0L))
    };
  }
}
