package org.bmojo.cli;

/**
 * Ctrl-C, or a polite kill, while something is going on that wants to end well: sets a flag, then
 * keeps the JVM until the work is closed.
 */
final class Interrupt implements AutoCloseable {
  private static final long PATIENCE_MILLIS = 60_000;

  private final Thread worker = Thread.currentThread();
  private final Thread hook = new Thread(this::asked, "interrupt");
  private volatile boolean asked;
  private volatile boolean closed;

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Whether somebody wants an end. */
  boolean isAsked() {
    return asked;
  }

  private void asked() {
    asked = true;
    long until = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
    synchronized (this) {
      try {
        while (!closed && worker.isAlive() && System.nanoTime() < until) wait(100);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    if (asked) return;
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException endingAnyway) {
      // The JVM began to end just now; the hook has nothing left to wait for.
    }
  }
}
