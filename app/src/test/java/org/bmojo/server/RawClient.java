package org.bmojo.server;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

/** A client that does with its connection what no library would. */
final class RawClient implements AutoCloseable {
  private static final int SMALLEST_BUFFER = 4096; // so that little waits outside the server

  private final Socket socket = new Socket();

  RawClient(Served served) throws IOException {
    socket.setReceiveBufferSize(SMALLEST_BUFFER);
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress("127.0.0.1", served.server.port()));
    socket.setSoTimeout(30_000);
  }

  /** Asks for a completion. */
  static RawClient asking(Served served, String body) throws IOException {
    RawClient client = new RawClient(served);
    client.write(head(body.length()) + body);
    return client;
  }

  /** The beginning of a request for a completion. */
  static String head(int length) {
    return "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        + length
        + "\r\n\r\n";
  }

  void write(String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Up to {@code most} bytes; "" at the end. */
  String read(int most) throws IOException {
    byte[] bytes = new byte[most];
    int count = socket.getInputStream().read(bytes);
    return new String(bytes, 0, Math.max(0, count), StandardCharsets.ISO_8859_1);
  }

  /** Until {@code text} has come, or all if it does not. */
  String readUntil(String text) throws IOException {
    StringBuilder all = new StringBuilder();
    for (String more = read(4096); !more.isEmpty(); more = read(4096)) {
      all.append(more);
      if (all.indexOf(text, Math.max(0, all.length() - more.length() - text.length())) >= 0) break;
    }
    return all.toString();
  }

  /** Says {@code text} again and again, with pauses, until nobody listens any more. */
  void dribble(String text) throws IOException, InterruptedException {
    InputStream in = socket.getInputStream();
    socket.setSoTimeout(1);
    try {
      while (true) {
        write(text);
        Thread.sleep(20);
        while (in.available() > 0) {
          if (in.read() < 0) return;
        }
      }
    } catch (SocketException e) {
      // It was closed at the other end.
    }
  }

  /** Waits for the other end to close. */
  void awaitEnd() throws IOException {
    try {
      while (!read(4096).isEmpty()) {
        // Whatever it is told, it ends.
      }
    } catch (SocketException e) {
      // Reset, which is an end as well.
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
