package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The last tokens' rows of something, by position: position p stands in row p mod capacity. A ring
 * without a bound grows instead of forgetting.
 */
final class Ring implements StateParts.Parted, AutoCloseable {
  private final boolean bounded;
  private final Owned rows; // (B, capacity, …)

  /**
   * @param capacity tokens remembered; 0 for all there will ever be
   * @param like gives type and device
   * @param shape of one token of all sequences: (B, …)
   */
  Ring(int capacity, Tensor like, long... shape) {
    bounded = capacity > 0;
    long[] full = new long[shape.length + 1];
    full[0] = shape[0];
    full[1] = bounded ? capacity : 16;
    System.arraycopy(shape, 1, full, 2, shape.length - 1);
    try (Scope scope = new Scope()) {
      rows = new Owned(zeros(like, full));
    }
  }

  /** The storage, (B, capacity, …). */
  Tensor rows() {
    return rows.get();
  }

  long capacity() {
    return rows.get().size(1);
  }

  /** The {@code count} rows before position {@code end}, oldest first, (B, count, …). */
  Tensor before(long end, long count) {
    try (Scope scope = new Scope()) {
      return scope.keep(rows.get().index_select(1, slots(end - count, end)));
    }
  }

  /** Takes the rows (B, T, …) of positions start … start+T−1. */
  void put(long start, Tensor t) {
    try (Scope scope = new Scope()) {
      long tokens = t.size(1);
      if (!bounded) grow(start + tokens);
      long kept = Math.min(tokens, capacity());
      long from = start + tokens - kept;
      if (kept == 1) {
        rows.get().select(1, from % capacity()).copy_(t.select(1, tokens - 1));
      } else {
        Tensor newest = t.narrow(1, tokens - kept, kept);
        rows.get().index_copy_(1, slots(from, start + tokens), newest.to(rows.get().scalar_type()));
      }
    }
  }

  /** Takes the row (B, 1, …) of each sequence's next position. */
  void putOne(Positions positions, Tensor t) {
    if (positions.inStep()) {
      put(positions.common(), t);
      return;
    }
    try (Scope scope = new Scope()) {
      if (!bounded) grow(positions.largest() + 1);
      long[] flat = positions.all();
      for (int r = 0; r < flat.length; r++) flat[r] = r * capacity() + flat[r] % capacity();
      Tensor all = rows.get().flatten(0, 1); // (B · capacity, …), a view
      Tensor newest = t.select(1, 0).to(rows.get().scalar_type());
      all.index_copy_(0, Positions.index(all, flat), newest);
    }
  }

  private Tensor slots(long from, long to) {
    return range(rows.get(), from, to).remainder(new Scalar(capacity()));
  }

  /** The storage, to be named among the parts of a state. */
  Owned owned() {
    return rows;
  }

  /** Makes room for positions below {@code needed}; rows that nothing was put into are 0. */
  void grow(long needed) {
    long capacity = capacity();
    if (needed <= capacity) return;
    long[] shape = Shapes.of(rows.get());
    shape[1] = Math.max(needed, 2 * capacity);
    Tensor larger = zeros(rows.get(), shape);
    larger.narrow(1, 0, capacity).copy_(rows.get());
    rows.set(larger);
  }

  @Override
  public void parts(StateParts parts) {
    if (bounded) {
      parts.add("rows", rows);
    } else {
      parts.addGrowing("rows", rows);
    }
  }

  @Override
  public void close() {
    rows.close();
  }
}
