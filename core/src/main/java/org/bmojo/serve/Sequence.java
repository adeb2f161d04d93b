package org.bmojo.serve;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.generate.LogProbabilities;
import org.bmojo.generate.LogProbabilities.Scored;
import org.bmojo.generate.Penalties;
import org.bmojo.generate.Sampler;
import org.bmojo.model.ModelState;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.serve.Generation.Times;
import org.bmojo.serve.Generation.Token;
import org.jspecify.annotations.Nullable;

/** A request in the engine: what it has read and chosen. Touched by the engine's thread only. */
final class Sequence {
  final Request request;
  final Generation generation;

  /** While the prompt is read; later the state is a row of the engine's batch. */
  @Nullable ModelState state;

  private final @Nullable Memory from;
  private final int[] reading; // what the memory had not read, then the prompt
  private int read;
  private final long submitted = System.nanoTime();
  private long admitted;
  private long first;
  private final Sampler sampler;
  private final Penalties penalties;
  private final List<Integer> answer = new ArrayList<>();
  private int chosen; // how many, an end id included
  private int last; // of those chosen

  /** Holds the memory to go on from until a slot is free. */
  Sequence(Request request, Generation generation) {
    this.request = request;
    this.generation = generation;
    Memory memory = request.from();
    from = memory == null ? null : memory.share();
    int[] pending = memory == null ? new int[0] : memory.pending();
    reading = IntStream.concat(Arrays.stream(pending), Arrays.stream(request.prompt())).toArray();
    sampler = Sampler.of(request.decoding());
    penalties = new Penalties(request.decoding(), reading);
  }

  /** Gets a slot: the state to begin with. */
  void admit(ModelState fresh) {
    admitted = System.nanoTime();
    ModelState begin = fresh;
    if (from != null) {
      fresh.close();
      begin = from.copyState();
    }
    state = begin;
    Recollection way = request.recollection();
    if (way != null) way.attach(begin);
  }

  /** The next ids to read, at most {@code most}; the last one stays unread if no more is wanted. */
  int[] nextChunk(int most) {
    int until = request.tokens() == 0 ? reading.length - 1 : reading.length;
    int[] chunk = Arrays.copyOfRange(reading, read, Math.min(until, read + most));
    read += chunk.length;
    return chunk;
  }

  /** Whether the next step needs nothing but logits. */
  boolean hasRead() {
    return read == reading.length;
  }

  /** Whether this reads only, and is through but for the last id, which stays pending. */
  boolean hasRemembered() {
    return request.tokens() == 0 && read >= reading.length - 1;
  }

  /** The id to be read in the next step. */
  int last() {
    return last;
  }

  /**
   * Chooses the next token.
   *
   * @param logits one a token of the vocabulary; overwritten
   * @return why the answer has ended, or null if it goes on
   */
  @Nullable Reason choose(float[] logits) {
    requireNumbers(logits);
    int wanted = request.alternatives();
    LogProbabilities scores = wanted < 0 ? null : new LogProbabilities(logits.clone());
    penalties.apply(logits);
    int id = sampler.choose(logits);
    penalties.add(id);
    chosen++;
    if (first == 0) first = System.nanoTime();
    last = id;
    if (request.ends().contains(id)) return Reason.STOP;
    answer.add(id);
    generation.chosen(
        scores == null
            ? new Token(id, Double.NaN, List.of())
            : new Token(id, scores.of(id), topOf(scores, wanted)));
    if (request.stop() != null && request.stop().ends(id)) return Reason.STOP;
    return answer.size() == request.tokens() ? Reason.LENGTH : null;
  }

  private static List<Scored> topOf(LogProbabilities scores, int count) {
    return count == 0 ? List.of() : scores.top(count);
  }

  private static void requireNumbers(float[] logits) {
    for (float logit : logits) {
      if (!Float.isNaN(logit)) continue;
      throw new BadInput(
          "the model's logits are not numbers",
          "expected weights that training left finite",
          "Use an earlier checkpoint, trained with a lower learning rate");
    }
  }

  /** Tokens chosen so far. */
  int chosen() {
    return chosen;
  }

  /** The state, handed over, if the asker wants it; else null, and it is freed at the end. */
  @Nullable ModelState takeStateIfKept() {
    ModelState own = request.keep() ? state : null;
    if (own != null) state = null;
    return own;
  }

  /** Why this should end at once, or null. */
  @Nullable Reason overdue(long nanos) {
    if (generation.isCancelled()) return Reason.CANCELLED;
    return System.nanoTime() - submitted > nanos ? Reason.TIME : null;
  }

  /**
   * Tells the asker of the end.
   *
   * @param own the sequence's state, handed over; null if its memory is not to be kept
   */
  void end(Reason reason, @Nullable ModelState own, @Nullable RuntimeException failure) {
    if (own != null) own.detach(); // Whoever goes on from it has his own way into a library.
    Memory memory = own == null ? null : new Memory(own, pending(), ids());
    release();
    long now = System.nanoTime();
    Times times =
        new Times(
            Math.min(read, request.prompt().length),
            chosen,
            (admitted == 0 ? now : admitted) - submitted,
            first == 0 ? 0 : first - submitted,
            now - submitted);
    generation.ended(new Ending(reason, memory, failure, times));
  }

  /** Lets go of what it holds of its own. */
  private void release() {
    Memory.close(from);
    if (state != null) state.close();
    state = null;
  }

  /** The state has read all but the last id, be it of the prompt, the answer or an end. */
  private int[] pending() {
    return new int[] {chosen == 0 ? reading[reading.length - 1] : last};
  }

  private int[] ids() {
    int[] before = from == null ? new int[0] : from.ids();
    int pending = reading.length - request.prompt().length;
    if (from != null && before.length == 0) return before; // unknown, and so is the whole
    IntStream prompt = Arrays.stream(reading).skip(pending);
    IntStream all = IntStream.concat(Arrays.stream(before), prompt);
    all = IntStream.concat(all, answer.stream().mapToInt(i -> i));
    boolean ended = chosen > answer.size();
    return IntStream.concat(all, ended ? IntStream.of(last) : IntStream.empty()).toArray();
  }
}
