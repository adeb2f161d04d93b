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

/**
 * Reads sequences side by side, each from an empty memory, and tells the loss of every token.
 *
 * <p>Sequences of like length go together, a piece at a time with the state carried from one to the
 * next, however long they are. Those that end leave the batch, and the pieces of the others grow: a
 * pass always reads about as many tokens. A GPU is given the next pass before the losses of the last
 * one are looked at.
 */
public final class LossReader {
  private static final int GPU_PASS = 1 << 15, CPU_PASS = 1 << 12; // tokens
  private static final int GPU_ROWS = 16, CPU_ROWS = 8;

  /** Pieces are multiples of this: memories are refreshed at such positions. */
  private static final int GRAIN = 256;

  /** Memory for everything that was read is doubled when it is full. */
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
  public LossReader(LanguageModel model, int rows, long room) {
    this(
        model,
        rows > 0 ? rows : model.device().is_cpu() ? CPU_ROWS : GPU_ROWS,
        room,
        model.device().is_cpu() ? CPU_PASS : GPU_PASS);
  }

  /** The same with passes of another size, which changes memory and time only. */
  LossReader(LanguageModel model, int rows, long room, int pass) {
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
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
  public record Sequence(int[] tokens, int before, int from, int to) {
    int length() {
      return to - from;
    }

    /** What is read to predict token {@code t}. */
    private int input(int t) {
      return t == 0 ? before : tokens[t - 1];
    }
  }

  /** Is told losses in nats, of each sequence in order. */
  public interface Sink {
    /**
     * Losses of consecutive tokens.
     *
     * @param sequence its number
     * @param from position of the first, counted from the sequence's beginning
     * @param losses theirs, from {@code offset} on
     */
    void accept(int sequence, int from, double[] losses, int offset, int count);
  }

  /**
   * How many sequences of {@code tokens} are read side by side.
   *
   * @throws BadInput if the memory of one of them is too large
   */
  public int rows(long tokens) {
    long each = bytes(tokens);
    if (each <= room) return (int) Math.clamp(room / Math.max(1, each), 1, rows);
    throw new BadInput(
        "the memory of %,d tokens takes up to %,d MB".formatted(tokens, each >> 20),
        "expected no more than the %,d MB that are free for it".formatted(room >> 20),
        "Read less of each document (--length), or give a device with more memory");
  }

  /** At most, of one sequence. */
  private long bytes(long tokens) {
    long element = model.parameters().values().iterator().next().value().element_size();
    return GROWTH * Footprint.stateBytes(model.config(), tokens) * element / Float.BYTES;
  }

  /** Reads all of {@code sequences}, longest first. */
  public void read(List<Sequence> sequences, Sink sink) {
    int[] order =
        IntStream.range(0, sequences.size())
            .boxed()
            .filter(i -> sequences.get(i).length() > 0)
            .sorted(Comparator.comparingInt(i -> -sequences.get(i).length()))
            .mapToInt(i -> i)
            .toArray();
    for (int next = 0; next < order.length; ) {
      int size = Math.min(rows(sequences.get(order[next]).length()), order.length - next);
      int first = next;
      readTogether(
          IntStream.range(0, size).mapToObj(r -> sequences.get(order[first + r])).toList(),
          (row, from, losses, offset, count) ->
              sink.accept(order[first + row], from, losses, offset, count));
      next += size;
    }
  }

  /** Losses on their way to the host, (rows, length). */
  private record Pending(int rows, int from, int length, Later losses) {}

  /** Longest first. */
  private void readTogether(List<Sequence> batch, Sink sink) {
    Deque<Pending> queued = new ArrayDeque<>(); // at most two
    int live = batch.size();
    try (ModelState state = model.newState(live)) {
      for (int at = 0; live > 0; ) {
        int length = Math.min(piece(live), batch.getFirst().length() - at);
        queued.add(queue(batch, live, at, length, state));
        if (queued.size() > 1) deliver(queued.remove(), batch, sink);
        at += length;
        int on = live;
        while (on > 0 && batch.get(on - 1).length() <= at) on--;
        if (on < live && on > 0) state.retain(IntStream.range(0, on).toArray());
        live = on;
      }
      while (!queued.isEmpty()) deliver(queued.remove(), batch, sink);
    } finally {
      queued.forEach(p -> p.losses.close());
    }
  }

  private int piece(int live) {
    int even = Math.max(1, pass / live);
    return even < GRAIN ? even : even / GRAIN * GRAIN;
  }

  private Pending queue(List<Sequence> batch, int live, int at, int length, ModelState state) {
    long[] ids = new long[live * length];
    long[] targets = new long[live * length];
    for (int r = 0; r < live; r++) {
      Sequence s = batch.get(r);
      for (int i = 0; i < length; i++) {
        int t = s.from + at + i;
        boolean within = t < s.to;
        ids[r * length + i] = within ? s.input(t) : s.before; // Past its end nothing is asked.
        targets[r * length + i] = within ? s.tokens[t] : LinearCrossEntropy.IGNORED;
      }
    }
    try (Scope _ = new Scope()) {
      Later losses = new Later(model.losses(Batch.of(ids, targets, live), state)); // (B, T)
      return new Pending(live, at, length, losses);
    }
  }

  private static void deliver(Pending pending, List<Sequence> batch, Sink sink) {
    double[] losses;
    try (Later later = pending.losses) {
      losses = later.get();
    }
    for (int r = 0; r < pending.rows; r++) {
      int count = Math.min(pending.length, batch.get(r).length() - pending.from);
      if (count > 0) sink.accept(r, pending.from, losses, r * pending.length, count);
    }
  }
}
