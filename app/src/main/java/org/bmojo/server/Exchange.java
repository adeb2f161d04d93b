package org.bmojo.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Optional;
import org.bmojo.serve.Generation.Times;
import org.jspecify.annotations.Nullable;

/** One request and its answer. */
final class Exchange {
  private static final HeaderName REQUEST_ID = HeaderNames.create("X-Request-Id");

  /** So much is written at a time; a client that takes it in is not a silent one. */
  private static final int PIECE = 64 << 10;

  /** So much of a body that is refused is read all the same. */
  private static final int LINGER = 64 << 20;

  private final ServerRequest request;
  private final ServerResponse response;
  private final String id;
  private final String path;
  private final Duration patience;
  private int status = 200;
  private @Nullable Times times;

  Exchange(ServerRequest request, ServerResponse response, String id, Duration patience) {
    this.patience = patience;
    this.request = request;
    this.response = response;
    this.id = id;
    path = request.path().rawPathNoParams();
    response.header(REQUEST_ID, id);
    response.header(HeaderNames.create("X-Content-Type-Options"), "nosniff");
  }

  /** Names this request in the log. */
  String id() {
    return id;
  }

  /** Notes what an answer took, for the log. */
  void note(Times took) {
    times = took;
  }

  /** What was noted, or null. */
  @Nullable Times times() {
    return times;
  }

  /** How long its client may take to send or to receive. */
  Duration patience() {
    return patience;
  }

  String method() {
    return request.prologue().method().text();
  }

  /** As it was sent, escapes and all. */
  String path() {
    return path;
  }

  int status() {
    return status;
  }

  Optional<String> header(String name) {
    return request.headers().first(HeaderNames.create(name));
  }

  /** Whether something has been sent already. */
  boolean isBegun() {
    return response.isSent() || response.bytesWritten() > 0;
  }

  /** The whole body, if it has no more than {@code most} bytes. */
  byte[] body(int most) {
    long told = request.headers().contentLength().orElse(0);
    // Who waits for leave to send a body is refused before he sends it.
    if (told > most && header("Expect").isPresent()) throw ApiError.tooLarge(most);
    if (!request.content().hasEntity()) return new byte[0];
    try (Patience _ = new Patience(patience);
        InputStream in = request.content().inputStream()) {
      byte[] bytes = told > most ? null : in.readNBytes(most + 1);
      if (bytes != null && bytes.length <= most) return bytes;
      discard(in);
      throw ApiError.tooLarge(most);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A client that is still sending when the connection ends may never see the answer. */
  private static void discard(InputStream in) throws IOException {
    byte[] piece = new byte[PIECE];
    int left = LINGER;
    while (left > 0) {
      int got = in.read(piece);
      if (got < 0) return;
      left -= got;
    }
  }

  void json(int code, Object value) {
    send(code, "application/json", Wire.bytes(value));
  }

  void send(int code, String type, byte[] bytes) {
    status = code;
    response.status(Status.create(code));
    response.header(HeaderNames.CONTENT_TYPE, type);
    response.header(HeaderNames.CACHE_CONTROL, "no-store");
    if (bytes.length <= PIECE) {
      try (Patience _ = new Patience(patience)) {
        response.send(bytes);
      }
      return;
    }
    response.header(HeaderNames.CONTENT_LENGTH, Integer.toString(bytes.length));
    OutputStream out = response.outputStream();
    try {
      for (int at = 0; at < bytes.length; at += PIECE) {
        try (Patience _ = new Patience(patience)) {
          out.write(bytes, at, Math.min(PIECE, bytes.length - at));
          out.flush();
        }
      }
      out.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void header(String name, String value) {
    response.header(HeaderNames.create(name), value);
  }

  /** Begins an answer that is written bit by bit. */
  OutputStream stream(String type) {
    response.status(Status.OK_200);
    response.header(HeaderNames.CONTENT_TYPE, type);
    response.header(HeaderNames.CACHE_CONTROL, "no-cache");
    return response.outputStream();
  }

  /** So that a body which was not read does not become the next request's beginning. */
  void closeConnection() {
    response.header(HeaderNames.CONNECTION, "close");
  }
}
