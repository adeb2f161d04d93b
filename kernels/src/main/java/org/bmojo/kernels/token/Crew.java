package org.bmojo.kernels.token;

import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Threads that run programs together with their caller. Stages last microseconds, so whoever waits
 * for the others watches a counter; only between tokens, when nothing has come for a while, do the
 * threads go to sleep.
 */
final class Crew {
  /** How long a thread looks out for the next token before it sleeps: about what sampling takes. */
  private static final long PATIENCE = 200_000; // ns

  /** Looks at a counter before the core is offered to somebody else. */
  private static final int LOOKS = 2_000;

  /** Memory is read no faster by more threads, while all of them take turns at two counters. */
  private static final int MOST = 16;

  private static final int NEXT = 16, DONE = 48; // cache lines of their own

  private static final ReentrantLock BUSY = new ReentrantLock();
  private static final ThreadLocal<Room> ROOM = ThreadLocal.withInitial(Room::new);
  private static final Member[] MEMBERS = new Member[threads() - 1];
  private static volatile @Nullable Run current;

  static {
    for (int i = 0; i < MEMBERS.length; i++) {
      MEMBERS[i] = new Member();
      Thread.ofPlatform().daemon().name("token-" + i).start(MEMBERS[i]);
    }
  }

  private Crew() {}

  /** How many threads work at a time, the caller's included. */
  static int threads() {
    return Math.min(Runtime.getRuntime().availableProcessors(), MOST);
  }

  /** Runs a program: with the crew, or alone where that works for somebody else. */
  static void run(TokenProgram program) {
    Room room = ROOM.get();
    if (MEMBERS.length == 0 || !BUSY.tryLock()) {
      room.clear();
      for (int part = 0; part < program.parts(); part++) program.run(part, room);
      return;
    }
    try {
      Run run = new Run(program);
      current = run;
      for (Member m : MEMBERS) m.wake();
      run.work(room);
      run.await(program.parts());
      current = null;
      run.finish();
    } finally {
      BUSY.unlock();
      Reference.reachabilityFence(program);
    }
  }

  /**
   * One run of a program: parts are given out in order, and begin when those they need are done.
   */
  private static final class Run {
    private final AtomicIntegerArray counters = new AtomicIntegerArray(64);
    private volatile @Nullable TokenProgram program;
    private volatile @Nullable Throwable failure;

    Run(TokenProgram program) {
      this.program = program;
    }

    void work(Room room) {
      TokenProgram p = program;
      if (p == null) return;
      room.clear();
      for (int part; (part = counters.getAndIncrement(NEXT)) < p.parts(); ) {
        await(p.before(part));
        try {
          if (failure == null) p.run(part, room);
        } catch (Throwable t) {
          failure = t;
        }
        counters.getAndIncrement(DONE);
      }
    }

    /** Until so many parts are done. */
    void await(int parts) {
      for (int looks = 0; counters.getAcquire(DONE) < parts; looks++) {
        if (looks < LOOKS) Thread.onSpinWait();
        else Thread.yield();
      }
    }

    void finish() {
      program = null; // Threads remember their last run.
      Throwable t = failure;
      if (t instanceof RuntimeException e) throw e;
      if (t instanceof Error e) throw e;
    }
  }

  private static final class Member implements Runnable {
    private volatile @Nullable Thread sleeper;

    @Override
    public void run() {
      Room room = new Room();
      @Nullable Run last = null;
      while (true) {
        Run run = current;
        if (run == null || run == last) {
          rest(last);
        } else {
          last = run;
          run.work(room);
        }
      }
    }

    /** Until there may be another run than {@code last}. */
    private void rest(@Nullable Run last) {
      long began = System.nanoTime();
      while (System.nanoTime() - began < PATIENCE) {
        for (int i = 0; i < 100; i++) {
          if (isNew(current, last)) return;
          Thread.onSpinWait();
        }
      }
      sleeper = Thread.currentThread();
      if (!isNew(current, last)) LockSupport.park(this);
      sleeper = null;
    }

    private static boolean isNew(@Nullable Run run, @Nullable Run last) {
      return run != null && run != last;
    }

    void wake() {
      Thread t = sleeper;
      if (t != null) LockSupport.unpark(t);
    }
  }
}
