package org.bmojo.serve;

import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.jspecify.annotations.Nullable;

/**
 * What an {@link Engine} is asked for: to read some ids, and to go on by itself.
 *
 * @param from what was read before, which stays as it is; null for a new sequence
 * @param prompt ids to read; may be empty after a memory
 * @param tokens to add at most; 0 to read only
 * @param decoding how they are chosen
 * @param alternatives how many of the likeliest tokens to report beside each chosen one; −1 to
 *     leave out log-probabilities altogether
 * @param ends ids that end the answer, and are no part of it
 * @param stop ends the answer after a token, which is part of it; null for none
 * @param keep whether the memory is wanted afterwards
 * @param recollection what it recalls from a library, and leaves there; null for neither
 */
public record Request(
    @Nullable Memory from,
    int[] prompt,
    int tokens,
    Decoding decoding,
    int alternatives,
    Set<Integer> ends,
    @Nullable StopRule stop,
    boolean keep,
    @Nullable Recollection recollection) {
  /** Log-probabilities of so many alternatives can be had. */
  public static final int MOST_ALTERNATIVES = 20;

  /** Told every token as it is chosen, on the engine's thread, so it should be quick. */
  @FunctionalInterface
  public interface StopRule {
    /** Whether the answer ends with {@code id}. */
    boolean ends(int id);
  }

  /** Copies the ids; refuses nothing to do, and too many alternatives. */
  public Request {
    prompt = prompt.clone();
    ends = Set.copyOf(ends);
    if (prompt.length == 0 && from == null) {
      throw new BadInput("an empty prompt", "expected at least one id", "Pass a sequence");
    }
    if (tokens < 0) {
      throw new BadInput(tokens + " tokens to generate", "expected 0 or more", "Correct the count");
    }
    if (alternatives < -1 || alternatives > MOST_ALTERNATIVES) {
      throw new BadInput(
          alternatives + " log-probabilities a token",
          "expected 0 to " + MOST_ALTERNATIVES,
          "Ask for fewer");
    }
  }

  /** Without a library. */
  public Request(
      @Nullable Memory from,
      int[] prompt,
      int tokens,
      Decoding decoding,
      int alternatives,
      Set<Integer> ends,
      @Nullable StopRule stop,
      boolean keep) {
    this(from, prompt, tokens, decoding, alternatives, ends, stop, keep, null);
  }

  /** Goes on after {@code prompt}, until {@code tokens} or one of {@code ends}. */
  public static Request of(int[] prompt, int tokens, Decoding decoding, Integer... ends) {
    return new Request(null, prompt, tokens, decoding, -1, Set.of(ends), null, false);
  }

  /** Reads {@code prompt} and no more. */
  public static Request remember(int[] prompt) {
    return new Request(null, prompt, 0, Decoding.greedy(), -1, Set.of(), null, true);
  }

  /** The same after {@code memory}. */
  public Request after(@Nullable Memory memory) {
    return new Request(
        memory, prompt, tokens, decoding, alternatives, ends, stop, keep, recollection);
  }

  /** The same, with the memory kept. */
  public Request keeping() {
    return new Request(
        from, prompt, tokens, decoding, alternatives, ends, stop, true, recollection);
  }

  /** The same with log-probabilities. */
  public Request withAlternatives(int count) {
    return new Request(from, prompt, tokens, decoding, count, ends, stop, keep, recollection);
  }

  /** The same with another rule of ending. */
  public Request until(@Nullable StopRule rule) {
    return new Request(
        from, prompt, tokens, decoding, alternatives, ends, rule, keep, recollection);
  }

  /** The same with a way into a library. */
  public Request recalling(@Nullable Recollection way) {
    return new Request(from, prompt, tokens, decoding, alternatives, ends, stop, keep, way);
  }

  /** How many ids are to be read before the first is chosen. */
  int length() {
    return prompt.length + (from == null ? 0 : from.pending().length);
  }
}
