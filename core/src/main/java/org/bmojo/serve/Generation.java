package org.bmojo.serve;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.bmojo.generate.LogProbabilities.Scored;
import org.jspecify.annotations.Nullable;

/**
 * A request at work, as its asker sees it: tokens come one by one, then an {@link Ending}. A slow
 * reader keeps nobody waiting; what it has not read yet is bounded by the tokens it asked for.
 */
public final class Generation implements AutoCloseable {
  /** Why an answer ended. */
  public enum Reason {
    /** As many tokens as were asked for. */
    LENGTH,
    /** An end id, or the request's stop rule. */
    STOP,
    /** Its asker wanted no more of it, or the engine closes. */
    CANCELLED,
    /** It took longer than allowed. */
    TIME,
    /** Something went wrong. */
    FAILED
  }

  /** What happens, in order. */
  private sealed interface Event permits Token, Ending {}

  /**
   * A chosen token.
   *
   * @param logProbability natural, NaN unless asked for
   * @param alternatives the likeliest tokens, as many as asked for
   */
  public record Token(int id, double logProbability, List<Scored> alternatives) implements Event {}

  /**
   * The end.
   *
   * @param memory if it was asked for and the answer ended well; the asker's to close
   * @param failure where the reason is {@link Reason#FAILED}
   */
  public record Ending(
      Reason reason, @Nullable Memory memory, @Nullable RuntimeException failure, Times times)
      implements Event {}

  /**
   * How long things took.
   *
   * @param promptTokens read, those of a memory not counted
   * @param tokens chosen, an end id included
   * @param waited nanoseconds until a slot was free
   * @param first nanoseconds until the first token, 0 where there was none
   * @param total nanoseconds until the end
   */
  public record Times(int promptTokens, int tokens, long waited, long first, long total) {}

  private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private final Runnable wake;
  private volatile boolean cancelled;
  private @Nullable Ending ending;
  private @Nullable Event ahead;

  Generation(Runnable wake) {
    this.wake = wake;
  }

  void chosen(Token token) {
    events.add(token);
  }

  void ended(Ending end) {
    events.add(end);
  }

  boolean isCancelled() {
    return cancelled;
  }

  /** Waits for the next token; null once the answer has ended. For one thread only. */
  public @Nullable Token next() throws InterruptedException {
    if (ending != null) return null;
    Event event = ahead == null ? events.take() : ahead;
    ahead = null;
    return switch (event) {
      case Token token -> token;
      case Ending end -> {
        ending = end;
        yield null;
      }
    };
  }

  /** Waits until {@link #next} need not wait, but not for long; returns whether that is so. */
  public boolean arrives(Duration within) throws InterruptedException {
    if (ending == null && ahead == null) {
      ahead = events.poll(within.toNanos(), TimeUnit.NANOSECONDS);
    }
    return ending != null || ahead != null;
  }

  /** How many tokens wait to be read. */
  public int unread() {
    return events.size();
  }

  /** Reads all tokens that are left; then how it ended. */
  public Ending await() throws InterruptedException {
    while (ending == null) next();
    return ending;
  }

  /** Wants no more: the slot is free within one step. */
  public void cancel() {
    cancelled = true;
    wake.run();
  }

  /** Cancels, unless it has ended, and lets go of the memory if there is one. */
  @Override
  public void close() {
    cancel();
    // Whoever interrupted us wants to go on soon; the engine answers within a step.
    boolean interrupted = false;
    while (true) {
      try {
        Memory.close(await().memory());
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) Thread.currentThread().interrupt();
  }
}
