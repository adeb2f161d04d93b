package org.bmojo.server;

import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Waits for a client, but not for ever: interrupts the thread that is still at it when the time has
 * passed, which closes its socket. (Sockets of channels, Helidon's among them, have no timeouts.)
 *
 * <pre>{@code
 * try (Patience _ = new Patience(limit)) {
 *   in.readNBytes(count);
 * }
 * }</pre>
 */
final class Patience implements AutoCloseable {
  private static final ScheduledExecutorService CLOCK =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("patience").factory());

  private final Thread waiting = Thread.currentThread();
  private final ScheduledFuture<?> end;
  private boolean over;
  private boolean lost;

  Patience(Duration limit) {
    end = CLOCK.schedule(this::lose, limit.toNanos(), TimeUnit.NANOSECONDS);
  }

  private synchronized void lose() {
    if (over) return;
    lost = true;
    waiting.interrupt();
  }

  @Override
  public void close() {
    end.cancel(false);
    synchronized (this) {
      over = true;
      if (lost) Thread.interrupted(); // It was meant for what was waited for only.
    }
  }
}
