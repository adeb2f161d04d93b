package org.bmojo.layer;

import java.util.ArrayDeque;
import java.util.Deque;
import org.bmojo.kernels.torch.Recording;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.layer.RotaryTable.Angles;
import org.bytedeco.pytorch.Tensor;

/**
 * A {@link RotaryTable} that remembers the angles of the last few stretches of positions. A
 * training run asks for the same ones at every layer of every step, and computing them on the host
 * would stall a GPU; decoding asks for the next position each time.
 */
public final class RotaryCache {
  private static final int STRETCHES = 4;

  /** Positions computed at least, for those who ask for one after the other. */
  private static final long AHEAD = 256;

  /** Angles of positions from … from+count−1, on one device in one type. */
  private record Stretch(long from, long count, Tensor cos, Tensor sin) {
    boolean holds(Tensor like, long start, long needed) {
      return start >= from
          && start + needed <= from + count
          && cos.device().equals(like.device())
          && cos.scalar_type().intern() == Tensors.accumulation(like);
    }
  }

  private final RotaryTable table;
  private final Deque<Stretch> stretches = new ArrayDeque<>(); // the one last used first

  /** Nothing remembered yet. */
  public RotaryCache(RotaryTable table) {
    this.table = table;
  }

  /** What the angles are. */
  public RotaryTable table() {
    return table;
  }

  /** As {@link RotaryTable#at(Tensor, long, long)}. */
  public synchronized Angles at(Tensor like, long start, long count) {
    if (table.lengthMatters()) return table.at(like, start, count);
    Stretch found = null;
    for (Stretch s : stretches) if (s.holds(like, start, count)) found = s;
    if (found == null) {
      found = compute(like, start, Math.max(count, AHEAD));
      if (stretches.size() == STRETCHES) release(stretches.removeLast());
    } else {
      stretches.remove(found);
    }
    stretches.addFirst(found);
    Recording.hold(found.cos);
    Recording.hold(found.sin);
    long from = start - found.from;
    return new Angles(found.cos.narrow(0, from, count), found.sin.narrow(0, from, count));
  }

  private Stretch compute(Tensor like, long start, long count) {
    try (Scope scope = new Scope()) {
      Angles angles = table.at(like, start, count);
      angles.cos().retainReference();
      angles.sin().retainReference();
      return new Stretch(start, count, angles.cos(), angles.sin());
    }
  }

  private static void release(Stretch s) {
    s.cos.releaseReference();
    s.sin.releaseReference();
  }
}
