package org.bmojo.serve;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/**
 * Where requests wait in a line, and where the engine waits for them. How many are in the house,
 * waiting or in a slot, is bounded.
 */
final class Desk {
  private final int most;
  private final Deque<Sequence> line = new ArrayDeque<>();
  private final Deque<FutureTask<?>> questions = new ArrayDeque<>();
  private int present;
  private boolean closed;
  private boolean cancelled;
  private boolean woken;
  private long refused;

  Desk(int most) {
    this.most = most;
  }

  /** Lets a sequence wait, unless the house is full or the door closed. */
  synchronized boolean admit(Sequence s) {
    if (closed || present >= most) {
      refused++;
      return false;
    }
    present++;
    line.add(s);
    wake();
    return true;
  }

  /** Lets a question wait, unless the door is closed. */
  synchronized boolean ask(FutureTask<?> question) {
    if (closed) return false;
    questions.add(question);
    wake();
    return true;
  }

  /** The question that has waited longest, or null. */
  synchronized @Nullable FutureTask<?> question() {
    return questions.poll();
  }

  /** Somebody has left the house. */
  synchronized void left() {
    present--;
  }

  synchronized boolean isClosed() {
    return closed;
  }

  /** The one that has waited longest, or null. */
  synchronized @Nullable Sequence next() {
    return line.poll();
  }

  synchronized int waiting() {
    return line.size();
  }

  synchronized long refused() {
    return refused;
  }

  /** Those that need not wait any more; they leave. */
  synchronized List<Sequence> overdue(long nanos) {
    List<Sequence> late = new ArrayList<>();
    for (Sequence s : line) if (cancelled || s.overdue(nanos) != null) late.add(s);
    line.removeAll(late);
    return late;
  }

  /** All; they leave. */
  synchronized List<Sequence> all() {
    List<Sequence> all = new ArrayList<>(line);
    line.clear();
    return all;
  }

  synchronized void closeDoor() {
    closed = true;
    wake();
  }

  synchronized void cancelAll() {
    cancelled = true;
    wake();
  }

  synchronized boolean isCancelled() {
    return cancelled;
  }

  synchronized void wake() {
    woken = true;
    notifyAll();
  }

  /**
   * Waits for something to do if the engine is idle.
   *
   * @return false once there is nothing to do and never will be
   */
  synchronized boolean await(boolean idle) {
    while (idle && line.isEmpty() && questions.isEmpty()) {
      if (closed) return false;
      try {
        if (!woken) wait();
        woken = false;
      } catch (InterruptedException e) {
        closed = true; // Nobody but the virtual machine's end interrupts the engine.
        cancelled = true;
      }
    }
    woken = false;
    return true;
  }
}
