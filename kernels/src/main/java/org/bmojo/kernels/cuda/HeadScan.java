package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Walks of {@code ssd.cu} over sequences with one set of decays. A sequence is one segment where
 * there are heads enough to keep the GPU busy; else segments, whose first states come from a walk
 * without output before.
 */
final class HeadScan {
  /** Longest key and value: the state lies in registers. */
  private static final long MOST = 128;

  private static final int CHUNK = 64, THREADS = 128;

  /** Chunks that are worth a segment: the walk before it costs a third as much. */
  private static final long LEAST = 8;

  private final Tensor g;
  private final @Nullable Tensor begin;
  private final long batch, tokens, heads;
  private final int span;
  private final long segments;

  /** With decays g (B, T, H) and documents begin (B, T). */
  HeadScan(Tensor g, @Nullable Tensor begin) {
    this.g = g;
    this.begin = begin;
    batch = g.size(0);
    tokens = g.size(1);
    heads = g.size(2);
    long chunks = (tokens + CHUNK - 1) / CHUNK;
    long wanted = 2L * Device.of(g).multiprocessors() / (batch * heads);
    span = (int) Math.max(1, chunks / Math.max(1, Math.min(wanted, chunks / LEAST)));
    segments = (chunks + span - 1) / span;
  }

  /** Whether states with so many rows and columns find room on this device. */
  static boolean serves(Tensor like, long rows, long columns) {
    if (Math.max(rows, columns) > MOST) return false;
    int most = Math.max(shared(like, rows, columns, true, 1), shared(like, columns, rows, true, 1));
    return most <= Device.of(like).shared();
  }

  /** Whether sequences are more than one segment. */
  boolean segmented() {
    return segments > 1;
  }

  /**
   * Who plays which part in a walk.
   *
   * @param queries (B, T, H, keys), as keys
   * @param values (B, T, H, values)
   * @param reversed whether time runs backwards
   * @param transposed whether states, which lie as (keys, values) else, lie as (values, keys)
   */
  record Parts(Tensor queries, Tensor keys, Tensor values, boolean reversed, boolean transposed) {
    long keyLength() {
      return keys.size(3);
    }

    long valueLength() {
      return values.size(3);
    }
  }

  /**
   * States between segments.
   *
   * @param starts (segments, B, H, …) what each begins with
   * @param last (B, H, …) what the last one leaves
   */
  record States(Tensor starts, Tensor last) {}

  /**
   * A precise walk's results.
   *
   * @param out (B, T, H, values)
   * @param dots (shares, B, H, T) of out with another tensor, but for what tokens tell themselves
   * @param anchors (shares, segments, B, H) of last states with others
   */
  record Dotted(Tensor out, Tensor dots, Tensor anchors) {}

  /** Of segments, from the state (B, H, …) before the first; null is zero. */
  States states(Parts parts, @Nullable Tensor initial) {
    long rows = parts.keyLength(), columns = parts.valueLength();
    Tensor written = Floats.empty(g, segments, batch, heads, rows, columns);
    Tensor starts = Floats.empty(g, Shapes.of(written)), wholes = floats(segments);
    Tensor last = Floats.empty(g, batch, heads, rows, columns);
    launch(parts, Want.STATES, null, null, null, null, written, null, null, wholes);
    program(parts)
        .kernel("head_chain")
        .launch(
            new Grid((rows * columns + 255) / 256, batch * heads, 1, 256, 0),
            written,
            wholes,
            initial,
            starts,
            last,
            (int) segments,
            rows * columns,
            parts.reversed ? 1 : 0);
    return new States(starts, last);
  }

  /**
   * Outputs (B, T, H, values).
   *
   * @param starts as {@link States}; null is zero
   * @param ends gets what segments leave, unless null
   */
  Tensor out(Parts parts, @Nullable Tensor starts, @Nullable Tensor ends) {
    Tensor out = empty(parts.values, Shapes.of(parts.values));
    launch(parts, Want.OUTPUT, null, starts, out, null, ends, null, null, null);
    return out;
  }

  /**
   * The same, dotted.
   *
   * @param along as the output
   * @param against as starts: what the last states of segments are dotted with; null is zero
   */
  Dotted dotted(Parts parts, Tensor along, @Nullable Tensor starts, @Nullable Tensor against) {
    long shares = shares(parts);
    Tensor out = empty(parts.values, Shapes.of(parts.values));
    Tensor dots = Floats.empty(g, shares, batch, heads, tokens), anchors = floats(shares * segments);
    launch(parts, Want.DOTS, along, starts, out, dots, null, against, anchors, null);
    return new Dotted(out, dots, anchors);
  }

  /** The gradient of g, (B, T, H), from what queries read and what keys wrote. */
  Tensor decays(Parts parts, Dotted reads, Dotted writes) {
    Tensor dg = empty(g, Shapes.of(g));
    program(parts)
        .kernel("head_decays")
        .launch(
            new Grid(segments, batch * heads, 1, 256, 0),
            reads.dots,
            writes.dots,
            reads.anchors,
            g,
            begin,
            dg,
            (int) reads.dots.size(0),
            (int) writes.dots.size(0),
            (int) reads.dots.size(0),
            tokens,
            (int) heads,
            span * CHUNK);
    return dg;
  }

  private enum Want {
    STATES,
    OUTPUT,
    DOTS
  }

  private void launch(
      Parts parts,
      Want want,
      @Nullable Tensor along,
      @Nullable Tensor starts,
      @Nullable Tensor out,
      @Nullable Tensor dots,
      @Nullable Tensor ends,
      @Nullable Tensor against,
      @Nullable Tensor anchors,
      @Nullable Tensor wholes) {
    Tensor like = parts.values;
    long rows = parts.keyLength(), columns = parts.valueLength();
    boolean fine = want == Want.DOTS;
    // Two blocks on a multiprocessor are worth more than a tile ahead of time.
    boolean narrow = like.scalar_type().intern() == ScalarType.BFloat16;
    int half = Device.of(like).shared() / 2 - 4096;
    int stages = narrow && shared(like, rows, columns, fine, 2) <= half ? 2 : 1;
    Program.of(
            like,
            "ssd",
            "ELEMENT=" + Program.type(like),
            "KEY=" + rows,
            "VALUE=" + columns,
            "REVERSED=" + (parts.reversed ? 1 : 0),
            "OUTPUT=" + (want == Want.STATES ? 0 : 1),
            "DOTS=" + (fine ? 1 : 0),
            "STAGES=" + stages,
            "RESIDENT=" + (narrow ? 2 : 1))
        .kernel("ssd_walk")
        .launch(
            new Grid(
                shares(parts),
                segments,
                batch * heads,
                THREADS,
                shared(like, rows, columns, fine, stages)),
            parts.queries,
            parts.keys,
            parts.values,
            along,
            g,
            begin,
            starts,
            out,
            dots,
            ends,
            against,
            anchors,
            wholes,
            (int) (parts.transposed ? 1 : columns),
            (int) (parts.transposed ? rows : 1),
            tokens,
            (int) heads,
            span);
  }

  /** Shared memory of a block of the walk, as {@code ssd.cu} lays it out. */
  private static int shared(Tensor like, long rows, long columns, boolean fine, int stages) {
    boolean narrow = like.scalar_type().intern() == ScalarType.BFloat16;
    long planes = narrow ? 1 : 3, read = narrow ? fine ? 2 : 1 : 3;
    long key = (rows + 31) / 32 * 32, pitch = (columns > 32 ? 64 : 32) + 8;
    long stage = planes * CHUNK * (2 * (key + 8) + pitch);
    return (int) (2 * (stages * stage + read * key * pitch));
  }

  private static long shares(Parts parts) {
    return (parts.valueLength() + CHUNK - 1) / CHUNK;
  }

  private Tensor floats(long shares) {
    return Floats.empty(g, shares, batch, heads);
  }

  private static Program program(Parts parts) {
    return Program.of(parts.values, "head_states", "ELEMENT=" + Program.type(parts.values));
  }
}
