package org.bmojo.serve;

import org.bmojo.error.BadInput;
import org.bmojo.model.ModelState;
import org.jspecify.annotations.Nullable;

/**
 * All that a model remembers of one sequence, as a value: it never changes, and any number of
 * sequences may go on from it, so a fork costs nothing. Frees its native memory when the last of
 * its holders has closed it.
 */
public final class Memory implements AutoCloseable {
  /** Shared by all handles. */
  private static final class Content {
    final ModelState state; // of one sequence
    int holders;

    Content(ModelState state) {
      this.state = state;
    }
  }

  private final Content content;
  private final int[] pending;
  private final int[] ids;
  private boolean closed;

  /**
   * Takes a state.
   *
   * @param state of one sequence; this one's to close
   * @param pending ids at the end that the state has not read yet, at least one: their last one's
   *     logits choose what follows
   * @param ids all ids of the sequence, those pending included, as far as they are known
   */
  public Memory(ModelState state, int[] pending, int[] ids) {
    this(new Content(state), pending.clone(), ids.clone());
    if (pending.length == 0 || state.batch() != 1) {
      throw new BadInput(
          "a memory of %d sequences with %d pending ids".formatted(state.batch(), pending.length),
          "expected one sequence, and at least one id",
          "Leave the last id unread");
    }
  }

  private Memory(Content content, int[] pending, int[] ids) {
    this.content = content;
    this.pending = pending;
    this.ids = ids;
    synchronized (content) {
      content.holders++;
    }
  }

  /** Another handle on the same memory, to be closed by itself. */
  public Memory share() {
    synchronized (content) {
      requireOpen();
      return new Memory(content, pending, ids);
    }
  }

  /** A copy of the state, the caller's to close. */
  public ModelState copyState() {
    synchronized (content) {
      requireOpen();
      return content.state.copy(0);
    }
  }

  /** The state itself, not to be advanced, and not to be used after {@link #close}. */
  public ModelState state() {
    synchronized (content) {
      requireOpen();
      return content.state;
    }
  }

  /** Ids that are to be read before anything else. */
  public int[] pending() {
    return pending.clone();
  }

  /** All ids of the sequence; empty where they were not kept. */
  public int[] ids() {
    return ids.clone();
  }

  /** How many tokens it is of. */
  public long length() {
    return state().position(0) + pending.length;
  }

  private void requireOpen() {
    if (!closed && content.holders > 0) return;
    throw new BadInput("a memory that was closed", "expected an open one", "Open it again");
  }

  @Override
  public void close() {
    synchronized (content) {
      if (closed) return;
      closed = true;
      if (--content.holders == 0) content.state.close();
    }
  }

  /** Closes {@code memory} if there is one. */
  public static void close(@Nullable Memory memory) {
    if (memory != null) memory.close();
  }
}
