package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A running heap: every token is offered once, when it has left the window at a refresh, in O(log
 * E), and each refresh writes out what the heap holds.
 */
public final class CpuEideticSelect implements EideticSelect {
  @Override
  public Output forward(
      Rule rule,
      Tensor scores,
      long start,
      Tensor keptPositions,
      Tensor keptScores,
      @Nullable Tensor begin) {
    rule.expectFit(scores, start, keptPositions, keptScores, begin);
    int batch = (int) scores.size(0), capacity = rule.capacity();
    int tail = rule.tail(start), length = (int) scores.size(1);
    int chunks = rule.chunks(start, length - tail);
    long[] positions = new long[batch * chunks * capacity], rows = positions.clone();
    try (Scope scope = new Scope()) {
      double[] recent = doubles(scores), keptScore = doubles(keptScores);
      long[] kept = Longs.of(keptPositions);
      DocumentRows documents = DocumentRows.of(begin);
      Cores.forEach(
          batch,
          b -> {
            BestTokens best = new BestTokens(capacity);
            for (int e = 0; e < capacity; e++) {
              int at = b * capacity + e;
              if (kept[at] >= 0) best.offer(keptScore[at], kept[at], e);
            }
            long first = start - tail; // position of the first score
            long next = rule.refreshedBefore(start) + 1;
            for (int m = 0; m < chunks; m++) {
              long chunkStart = (start / rule.chunk() + m) * rule.chunk();
              long last = chunkStart < start ? -1 : chunkStart - rule.window();
              if (documents != null && chunkStart >= start) {
                // What a refresh offered is older than the refresh: of a document that has begun
                // since, nothing was offered yet.
                long oldest = start + documents.begin(b, (int) (chunkStart - start));
                best.forgetBefore(oldest);
                next = Math.max(next, Math.min(oldest, last + 1));
              }
              for (; next <= last; next++) {
                int i = (int) (next - first);
                best.offer(recent[b * length + i], next, capacity + i);
              }
              best.write(positions, rows, (b * chunks + m) * capacity);
            }
          });
      return new Output(
          scope.keep(tensor(positions, batch, chunks, capacity)),
          scope.keep(tensor(rows, batch, chunks, capacity)));
    }
  }

  private static double[] doubles(Tensor t) {
    double[] values = new double[(int) t.numel()];
    Tensor wide = t.to(ScalarType.Double).contiguous();
    if (values.length > 0) new DoublePointer(wide.data_ptr()).get(values);
    return values;
  }

  private static Tensor tensor(long[] values, long... shape) {
    return Tensor.create(values, shape);
  }
}
