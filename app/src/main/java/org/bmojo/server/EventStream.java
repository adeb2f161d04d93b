package org.bmojo.server;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** Server-sent events, each out at once. Fails once the reader has left. */
final class EventStream implements AutoCloseable {
  private static final byte[] BEFORE = "data: ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] AFTER = "\n\n".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] HEARTBEAT = ": waiting\n\n".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

  private final OutputStream out;
  private final Duration patience;
  private final long end;

  /**
   * Begins.
   *
   * @param limit how long all of it may take: who reads an event now and then does not read for
   *     ever
   */
  EventStream(Exchange exchange, Duration limit) {
    patience = exchange.patience();
    end = System.nanoTime() + limit.toNanos();
    out = exchange.stream("text/event-stream; charset=utf-8");
  }

  /** The reader has gone. */
  static final class ReaderLeft extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ReaderLeft(Throwable cause) {
      super("the reader has left", cause);
    }
  }

  void send(Object value) {
    byte[] json = Wire.bytes(value);
    byte[] event = new byte[BEFORE.length + json.length + AFTER.length];
    System.arraycopy(BEFORE, 0, event, 0, BEFORE.length);
    System.arraycopy(json, 0, event, BEFORE.length, json.length);
    System.arraycopy(AFTER, 0, event, BEFORE.length + json.length, AFTER.length);
    write(event);
  }

  /** A comment, which readers pass over. */
  void heartbeat() {
    write(HEARTBEAT);
  }

  void done() {
    write(DONE);
  }

  private void write(byte[] bytes) {
    long left = end - System.nanoTime();
    if (left <= 0) throw new ReaderLeft(new SocketTimeoutException("it took too long"));
    try (Patience _ = new Patience(Duration.ofNanos(Math.min(left, patience.toNanos())))) {
      out.write(bytes);
      out.flush();
    } catch (IOException | UncheckedIOException e) {
      throw new ReaderLeft(e);
    }
  }

  @Override
  public void close() {
    try (Patience _ = new Patience(patience)) {
      out.close();
    } catch (IOException | UncheckedIOException e) {
      throw new ReaderLeft(e);
    }
  }
}
