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

  /**
   * With decays g (B, T, H) and documents begin (B, T).
   *
   * @param whole whether every sequence shall be one segment
   */
  HeadScan(Tensor g, @Nullable Tensor begin, boolean whole) {
    this(g, begin, whole ? 1 : mostSegments(g));
  }

  private HeadScan(Tensor g, @Nullable Tensor begin, long most) {
    this.g = g;
    this.begin = begin;
    batch = g.size(0);
    tokens = g.size(1);
    heads = g.size(2);
    long chunks = chunks(g);
    span = (int) Math.max(1, (chunks + most - 1) / most);
    segments = (chunks + span - 1) / span;
  }

  /** With a segment for every chunk of 64 tokens: what begins segments then begins chunks. */
  static HeadScan ofChunks(Tensor g, @Nullable Tensor begin) {
    return new HeadScan(g, begin, Math.max(1, chunks(g)));
  }

  private static long chunks(Tensor g) {
    return (g.size(1) + CHUNK - 1) / CHUNK;
  }

  private static long mostSegments(Tensor g) {
    long wanted = 2L * Device.of(g).multiprocessors() / Math.max(1, g.size(0) * g.size(2));
    return Math.max(1, Math.min(wanted, chunks(g) / LEAST));
  }

  /**
   * Whether states with so many rows and columns find room on this device.
   *
   * @param fine whether queries and keys are float32
   */
  static boolean serves(Tensor like, long rows, long columns, boolean fine) {
    if (Math.max(rows, columns) > MOST) return false;
    int planes = fine ? 2 : 1;
    Room there = new Room(like, rows, columns, planes, planes, 2);
    Room back = new Room(like, columns, rows, planes, planes, 2);
    return Math.max(there.bytes(1), back.bytes(1)) <= Device.of(like).shared() - Room.DECAYS;
  }

  /** Whether sequences are more than one segment. */
  boolean segmented() {
    return segments > 1;
  }

  /**
   * Who plays which part in a walk.
   *
   * @param queries (B, T, H, keys) of {@link Door#rows}, as keys and values
   * @param values (B, T, H, values)
   * @param reversed whether time runs backwards
   * @param transposed whether states, which lie as (keys, values) else, lie as (values, keys)
   */
  record Parts(Operand queries, Operand keys, Tensor values, boolean reversed, boolean transposed) {
    Parts(Tensor queries, Tensor keys, Tensor values, boolean reversed, boolean transposed) {
      this(new Operand(queries, null), new Operand(keys, null), values, reversed, transposed);
    }

    long keyLength() {
      return keys.of.size(3);
    }

    long valueLength() {
      return values.size(3);
    }
  }

  /**
   * Queries or keys.
   *
   * @param of (B, T, H, keys)
   * @param rates (B, T, H) what they are multiplied by, float32 both; null: nothing, and
   *     activations
   */
  record Operand(Tensor of, @Nullable Tensor rates) {
    int planes() {
      return rates == null ? 1 : 2;
    }

    int fine() {
      return rates == null ? 0 : 1;
    }
  }

  /**
   * States between segments.
   *
   * @param starts (segments, B, H, …) what each begins with
   * @param last (B, H, …) what the last one leaves
   * @param wholes (segments, B, H) what is left after each of what was there before
   */
  record States(Tensor starts, Tensor last, Tensor wholes) {}

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
    Tensor wholes = floats(segments);
    launch(parts, Want.STATES, null, null, null, null, null, written, null, null, wholes);
    return chain(parts.values, written, wholes, initial, parts.reversed);
  }

  /**
   * The same of segments whose work is known.
   *
   * @param like activations
   * @param written (segments, B, H, rows, columns) what each leaves of its own
   * @param wholes as {@link States}
   * @param reversed whether time runs backwards, and {@code initial} comes after the last segment
   */
  States chain(
      Tensor like, Tensor written, Tensor wholes, @Nullable Tensor initial, boolean reversed) {
    long rows = written.size(3), columns = written.size(4);
    Tensor starts = Floats.empty(g, Shapes.of(written));
    Tensor last = Floats.empty(g, batch, heads, rows, columns);
    Program.of(like, "head_states", "ELEMENT=" + Program.type(like))
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
            reversed ? 1 : 0);
    return new States(starts, last, wholes);
  }

  /**
   * Outputs (B, T, H, values).
   *
   * @param starts as {@link States}; null is zero
   * @param ends gets what segments leave, unless null
   */
  Tensor out(Parts parts, @Nullable Tensor starts, @Nullable Tensor ends) {
    Tensor out = empty(parts.values, Shapes.of(parts.values));
    launch(parts, Want.OUTPUT, null, null, starts, out, null, ends, null, null, null);
    return out;
  }

  /**
   * The same, dotted.
   *
   * @param along as the output
   * @param against as starts: what the last states of segments are dotted with; null is zero
   */
  Dotted dotted(Parts parts, Tensor along, @Nullable Tensor starts, @Nullable Tensor against) {
    Tensor out = empty(parts.values, Shapes.of(parts.values));
    return dotted(parts, Want.DOTS, out, null, along, starts, against);
  }

  /**
   * The same, of what tokens tell others.
   *
   * @param out (B, T, H, values) of the values' type or float32, where {@code more}, float32, is
   *     added; may be the same
   */
  Dotted others(
      Parts parts, Tensor out, @Nullable Tensor more, Tensor along, @Nullable Tensor starts) {
    return dotted(parts, Want.OTHERS, out, more, along, starts, null);
  }

  /** As {@link #dotted}, into {@code out} of the values' type or float32. */
  Dotted dotted(
      Parts parts,
      Want want,
      Tensor out,
      @Nullable Tensor more,
      Tensor along,
      @Nullable Tensor starts,
      @Nullable Tensor against) {
    long shares = shares(parts);
    Tensor dots = Floats.empty(g, shares, batch, heads, tokens);
    Tensor anchors = floats(shares * segments);
    launch(parts, want, along, more, starts, out, dots, null, against, anchors, null);
    return new Dotted(out, dots, anchors);
  }

  /**
   * The gradient of g, (B, T, H).
   *
   * @param reads dots (shares, B, H, T) of what is read with those that read it
   * @param writes the same of what is written
   * @param anchors of last states with their gradients
   */
  Tensor decays(Tensor like, Tensor reads, Tensor writes, Tensor anchors) {
    Tensor dg = empty(g, Shapes.of(g));
    Program.of(like, "head_states", "ELEMENT=" + Program.type(like))
        .kernel("head_decays")
        .launch(
            new Grid(segments, batch * heads, 1, 256, 0),
            reads,
            writes,
            anchors,
            g,
            begin,
            dg,
            (int) reads.size(0),
            (int) writes.size(0),
            (int) (anchors.size(0) / segments),
            tokens,
            (int) heads,
            span * CHUNK);
    return dg;
  }

  /** States only; outputs; outputs dotted with something, with or without a token's own. */
  enum Want {
    STATES,
    OUTPUT,
    DOTS,
    OTHERS
  }

  private void launch(
      Parts parts,
      Want want,
      @Nullable Tensor along,
      @Nullable Tensor more,
      @Nullable Tensor starts,
      @Nullable Tensor out,
      @Nullable Tensor dots,
      @Nullable Tensor ends,
      @Nullable Tensor against,
      @Nullable Tensor anchors,
      @Nullable Tensor wholes) {
    long rows = parts.keyLength(), columns = parts.valueLength();
    int read = want == Want.DOTS || want == Want.OTHERS ? 2 : 1;
    Room room =
        new Room(parts.values, rows, columns, parts.queries.planes(), parts.keys.planes(), read);
    int stages = room.stages();
    walk(parts, want, out, room)
        .launch(
            new Grid(shares(parts), segments, batch * heads, THREADS, room.bytes(stages)),
            parts.queries.of,
            parts.queries.rates,
            parts.keys.of,
            parts.keys.rates,
            parts.values,
            along,
            more,
            g,
            begin,
            starts,
            out,
            dots,
            ends,
            against,
            anchors,
            wholes,
            apart(parts.queries.of, 1),
            apart(parts.queries.of, 2),
            apart(parts.keys.of, 1),
            apart(parts.keys.of, 2),
            apart(parts.values, 1),
            apart(parts.values, 2),
            along == null ? 0 : apart(along, 1),
            along == null ? 0 : apart(along, 2),
            (int) (parts.transposed ? 1 : columns),
            (int) (parts.transposed ? rows : 1),
            tokens,
            (int) heads,
            (int) rows,
            (int) columns,
            span);
  }

  private static int apart(Tensor t, long axis) {
    return Math.toIntExact(t.stride(axis));
  }

  private static Kernel walk(Parts parts, Want want, @Nullable Tensor out, Room room) {
    boolean dots = want == Want.DOTS || want == Want.OTHERS;
    boolean fine = out != null && out.element_size() > parts.values.element_size();
    return Program.of(
            parts.values,
            "ssd",
            "ELEMENT=" + Program.type(parts.values),
            "KEYS_TO=" + room.keysTo(),
            "COLUMNS=" + room.columnsOfBlock(),
            "ALIGNED=" + room.aligned(),
            "REVERSED=" + (parts.reversed ? 1 : 0),
            "OUTPUT=" + (want == Want.STATES ? 0 : 1),
            "DOTS=" + (dots ? 1 : 0),
            "SELF=" + (want == Want.OTHERS ? 0 : 1),
            "FINE_QUERIES=" + parts.queries.fine(),
            "FINE_KEYS=" + parts.keys.fine(),
            "FINE_OUT=" + (fine ? 1 : 0),
            "STAGES=" + room.stages(),
            "RESIDENT=" + Room.resident(parts.values))
        .kernel("ssd_walk");
  }

  /**
   * Shared memory of a block that walks, as the sources lay it out.
   *
   * @param like activations
   * @param rows of the state, the keys' length
   * @param columns of the state, the values' length
   * @param queries planes where activations are bfloat16; where they are float32 all are three
   * @param keys as queries
   * @param state as queries
   */
  record Room(Tensor like, long rows, long columns, int queries, int keys, int state) {
    /** What is not asked for at the launch. */
    static final int DECAYS = 3 << 10;

    private static boolean narrow(Tensor like) {
      return like.scalar_type().intern() == ScalarType.BFloat16;
    }

    /** Blocks on a multiprocessor. */
    static int resident(Tensor like) {
      return narrow(like) ? 2 : 1;
    }

    int bytes(int stages) {
      return bytes(stages, 0);
    }

    /** With so many tiles of values besides. */
    int bytes(int stages, int more) {
      boolean narrow = narrow(like);
      long values = pitch() * CHUNK, wide = keysTo();
      long stage = (narrow ? queries + keys : 6) * CHUNK * (wide + 8) + (narrow ? 1 : 3) * values;
      long planes = (narrow ? state : 3) * wide * pitch() + (narrow ? 2L : 3L) * more * values;
      return (int) (2 * (stages * stage + planes));
    }

    long keysTo() {
      return (rows + 31) / 32 * 32;
    }

    int columnsOfBlock() {
      return columns > 32 ? 64 : 32;
    }

    int aligned() {
      return rows % 8 == 0 && columns % 8 == 0 ? 1 : 0;
    }

    private long pitch() {
      return columnsOfBlock() + 8;
    }

    /** Two, unless a second block on a multiprocessor would have to go for it. */
    int stages() {
      return stages(0);
    }

    int stages(int more) {
      int half = Device.of(like).shared() / 2 - DECAYS;
      return narrow(like) && bytes(2, more) <= half ? 2 : 1;
    }
  }

  private static long shares(Parts parts) {
    return (parts.valueLength() + CHUNK - 1) / CHUNK;
  }

  private Tensor floats(long shares) {
    return Floats.empty(g, shares, batch, heads);
  }
}
