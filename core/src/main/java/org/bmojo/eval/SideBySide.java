package org.bmojo.eval;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Later;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.Footprint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.jspecify.annotations.Nullable;

/**
 * Reads sequences side by side, each from an empty memory, a piece at a time with the state carried
 * from one to the next, however long they are.
 *
 * <p>Sequences of like length go together. Those that end leave the batch, and the pieces of the
 * others grow: a pass always reads about as many tokens. A GPU is given the next pass before what
 * came of the last one is looked at.
 */
public final class SideBySide {
  private static final int GPU_PASS = 1 << 15, CPU_PASS = 1 << 12; // tokens
  private static final int GPU_ROWS = 16, CPU_ROWS = 8;

  /** Pieces are multiples of this: memories are refreshed at such positions. */
  private static final int GRAIN = 256;

  /** A memory of everything that was read is doubled when it is full. */
  private static final int GROWTH = 2;

  private final LanguageModel model;
  private final int pass;
  private final int rows;
  private final long room;

  /**
   * Reads with {@code model}, which stays the caller's to close.
   *
   * @param rows sequences side by side at most; 0 for as many as suit the device
   * @param room bytes that their memories may take together
   */
  public SideBySide(LanguageModel model, int rows, long room) {
    this(
        model,
        rows > 0 ? rows : model.device().is_cpu() ? CPU_ROWS : GPU_ROWS,
        room,
        model.device().is_cpu() ? CPU_PASS : GPU_PASS);
  }

  /** The same with passes of another size, which changes memory and time only. */
  SideBySide(LanguageModel model, int rows, long room, int pass) {
    this.model = model;
    this.rows = rows;
    this.room = room;
    this.pass = pass;
  }

  /**
   * Tokens to predict.
   *
   * @param tokens of a document
   * @param before what stands before its first token
   * @param from the first that is predicted, from the token before it and nothing else
   * @param to the first that is not
   * @param counted the first that is asked for
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
  record Sequence(int[] tokens, int before, int from, int to, int counted) {
    int length() {
      return to - from;
    }

    /** What is read to predict token {@code t}. */
    private int input(int t) {
      return t == 0 ? before : tokens[t - 1];
    }
  }

  /**
   * A pass.
   *
   * @param numbers of the sequences that take part, by row
   * @param sequences theirs
   * @param at how far each was read before
   * @param length T
   */
  record Piece(List<Integer> numbers, List<Sequence> sequences, int at, int length) {
    int rows() {
      return sequences.size();
    }

    /** The first column of row {@code r} that is asked for. */
    int first(int r) {
      Sequence s = sequences.get(r);
      return Math.clamp((long) s.counted - s.from - at, 0, length);
    }

    /** The first column after it that is not. */
    int last(int r) {
      return Math.min(length, sequences.get(r).length() - at);
    }
  }

  /** What is to be found out. */
  interface Question {
    /** Asks the model; what comes of it is sent to the host. No state: begins and ends here. */
    Later ask(Batch batch, Piece piece, @Nullable ModelState state);

    /** Is handed what came, in the order of the passes. */
    void told(Piece piece, double[] values);
  }

  /** Who reads. */
  LanguageModel model() {
    return model;
  }

  /**
   * How many sequences of {@code tokens} are read side by side.
   *
   * @throws BadInput if the memory of one of them is too large
   */
  public int rows(long tokens) {
    long element = model.parameters().values().iterator().next().value().element_size();
    long each = GROWTH * Footprint.stateBytes(model.config(), tokens) * element / Float.BYTES;
    if (each <= room) return (int) Math.clamp(room / Math.max(1, each), 1, rows);
    throw new BadInput(
        "the memory of %,d tokens takes up to %,d MB".formatted(tokens, each >> 20),
        "expected no more than the %,d MB that are free for it".formatted(room >> 20),
        "Read less of each document (--length), or take a device with more memory");
  }

  /** Reads all of {@code sequences}, longest first. */
  void read(List<Sequence> sequences, Question question) {
    List<Integer> order =
        IntStream.range(0, sequences.size())
            .filter(i -> sequences.get(i).length() > 0)
            .boxed()
            .sorted(Comparator.comparingInt(i -> -sequences.get(i).length()))
            .toList();
    for (int next = 0, size; next < order.size(); next += size) {
      size = Math.min(rows(sequences.get(order.get(next)).length()), order.size() - next);
      List<Integer> numbers = order.subList(next, next + size);
      readTogether(numbers, numbers.stream().map(sequences::get).toList(), question);
    }
  }

  private record Pending(Piece piece, Later values) {
    void tell(Question question) {
      double[] numbers;
      try (Later later = values) {
        numbers = later.get();
      }
      question.told(piece, numbers);
    }
  }

  /** Longest first. */
  private void readTogether(List<Integer> numbers, List<Sequence> batch, Question question) {
    Deque<Pending> queued = new ArrayDeque<>(); // at most two
    int live = batch.size();
    boolean atOnce = batch.getFirst().length() <= length(live);
    try (ModelState state = atOnce ? null : model.newState(live)) {
      for (int at = 0; live > 0; ) {
        int length = Math.min(length(live), batch.getFirst().length() - at);
        Piece piece = new Piece(numbers.subList(0, live), batch.subList(0, live), at, length);
        try (Scope _ = new Scope()) {
          queued.add(new Pending(piece, question.ask(batch(piece), piece, state)));
        }
        if (queued.size() > 1) queued.remove().tell(question);
        at += length;
        int on = live;
        while (on > 0 && batch.get(on - 1).length() <= at) on--;
        if (on < live && on > 0 && state != null) state.retain(IntStream.range(0, on).toArray());
        live = on;
      }
      while (!queued.isEmpty()) queued.remove().tell(question);
    } finally {
      queued.forEach(p -> p.values.close());
    }
  }

  private int length(int live) {
    int even = Math.max(1, pass / live);
    return even < GRAIN ? even : even / GRAIN * GRAIN;
  }

  private static Batch batch(Piece piece) {
    int length = piece.length;
    long[] ids = new long[piece.rows() * length];
    long[] targets = new long[piece.rows() * length];
    for (int r = 0; r < piece.rows(); r++) {
      Sequence s = piece.sequences.get(r);
      int first = piece.first(r), last = piece.last(r);
      for (int i = 0; i < length; i++) {
        int t = s.from + piece.at + i;
        ids[r * length + i] = i < last ? s.input(t) : s.before; // Past its end nothing is asked.
        boolean asked = i >= first && i < last;
        targets[r * length + i] = asked ? s.tokens[t] : LinearCrossEntropy.IGNORED;
      }
    }
    return Batch.of(ids, targets, piece.rows());
  }
}
