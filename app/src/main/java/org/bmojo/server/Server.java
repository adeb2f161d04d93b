package org.bmojo.server;

import io.helidon.common.buffers.DataReader;
import io.helidon.common.socket.SocketWriterException;
import io.helidon.http.DirectHandler;
import io.helidon.http.DirectHandler.TransportResponse;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.error.BadInput;
import org.bmojo.serve.Engine;
import org.bmojo.serve.Generation.Times;
import org.bmojo.serve.Library;
import org.bmojo.serve.MemoryFile;
import org.bmojo.serve.TextEngine;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves an engine over HTTP, each request on a virtual thread. All enter here: they get an id, are
 * let in or not, find their {@link Routes route}, are logged and counted, and whatever goes wrong
 * leaves as JSON.
 */
public final class Server implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Server.class);
  private static final Duration BETWEEN_REQUESTS = Duration.ofMinutes(2);

  /** Helidon logs by way of the JDK, and every start; held, since loggers may be collected. */
  private static final java.util.logging.Logger HELIDON =
      java.util.logging.Logger.getLogger("io.helidon");

  static {
    HELIDON.setLevel(java.util.logging.Level.WARNING);
  }

  private final Engine engine;
  private final Connections connections;
  private final ServerMetrics metrics;
  private final Gate gate;
  private final Routes routes;
  private final WebServer web;
  private final Duration patience;
  private volatile boolean draining;

  /**
   * Starts listening.
   *
   * @param engine closed by its owner, after this
   * @param tokenizer the model's
   */
  public Server(
      ServerSettings settings, Engine engine, Tokenizer tokenizer, ChatTemplate template) {
    this(settings, engine, tokenizer, template, null);
  }

  /**
   * The same with a library: all requests recall from its documents, sessions also what they let
   * go.
   *
   * @param library closed by its owner, after the engine
   */
  public Server(
      ServerSettings settings,
      Engine engine,
      Tokenizer tokenizer,
      ChatTemplate template,
      @Nullable Library library) {
    this.engine = engine;
    patience = settings.patience();
    connections =
        new Connections(Connections.fitting(settings.connections()), patience, BETWEEN_REQUESTS);
    metrics = new ServerMetrics(connections);
    TextEngine text = new TextEngine(engine, tokenizer);
    SessionStore store = new SessionStore(settings.sessions(), new MemoryFile(engine.model()));
    gate = new Gate(settings);
    routes =
        new Routes(
            settings,
            engine,
            new Completions(settings, text, template, store, library, metrics),
            new Sessions(text, store, library, metrics),
            library,
            metrics,
            () -> draining);
    web =
        WebServer.builder()
            .host(settings.host())
            .port(settings.port())
            .shutdownHook(false) // Whoever started us drains first.
            .connectionOptions(new WatchedSockets(connections))
            .directHandlers(Server::malformed)
            .routing(routing -> routing.any(this::handle))
            .build()
            .start();
    if (!web.isRunning()) {
      connections.close();
      throw new BadInput(
          "port " + settings.port() + " of " + settings.host() + " cannot be listened on",
          "expected a free one",
          "Stop whatever uses it, or choose another with --port");
    }
  }

  /** The port that is listened on. */
  public int port() {
    return web.port();
  }

  /** What is no HTTP is answered before any route sees it. */
  private static void malformed(DirectHandlers.Builder handlers) {
    DirectHandler json =
        (request, event, status, headers, message) -> {
          ApiError error = ApiError.bad("The request is no HTTP that can be read: " + message);
          return TransportResponse.builder()
              .status(status)
              .headers(headers)
              .header(HeaderNames.CONTENT_TYPE, "application/json")
              .keepAlive(false)
              .entity(new String(Wire.bytes(error.body()), StandardCharsets.UTF_8))
              .build();
        };
    for (DirectHandler.EventType event : DirectHandler.EventType.values()) {
      handlers.addHandler(event, json);
    }
  }

  private void handle(ServerRequest request, ServerResponse response) {
    connections.asks(request);
    try {
      answer(request, response);
    } finally {
      connections.answered(request);
    }
  }

  private void answer(ServerRequest request, ServerResponse response) {
    long begin = System.nanoTime();
    Exchange exchange = new Exchange(request, response, "req-" + UUID.randomUUID(), patience);
    String route = "none";
    String outcome = "ok";
    int status = 0;
    try {
      gate.pass(exchange);
      Routes.Match match = routes.find(exchange);
      route = match.pattern();
      if (match.guarded()) gate.requireKey(exchange);
      match.handler().handle(exchange);
    } catch (EventStream.ReaderLeft e) {
      outcome = "reader left";
      status = 499; // nginx's number for it
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      fail(exchange, ApiError.closing());
    } catch (Exception e) {
      ApiError error = ApiError.from(e);
      if (error == null && isReadersFault(e)) {
        outcome = "reader left";
        status = 499;
      } else {
        if (error == null) LOG.error("request {} failed", exchange.id(), e);
        outcome = String.valueOf(error == null ? e : error.getMessage());
        fail(exchange, error == null ? ApiError.ours(exchange.id()) : error);
      }
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    int code = status == 0 ? exchange.status() : status;
    metrics.answered(exchange.method(), route, code, seconds);
    Times times = exchange.times();
    LOG.atInfo()
        .addKeyValue("prompt", times == null ? 0 : times.promptTokens())
        .addKeyValue("tokens", times == null ? 0 : times.tokens())
        .addKeyValue("id", exchange.id())
        .addKeyValue("method", exchange.method())
        .addKeyValue("path", exchange.path())
        .addKeyValue("status", code)
        .addKeyValue("seconds", "%.3f".formatted(seconds))
        .addKeyValue("outcome", outcome.lines().findFirst().orElse(""))
        .log("request");
    if (status == 499) throw new CloseConnectionException(outcome); // Helidon's way to end it
  }

  /** Reading from or writing to somebody who has gone, or who was silent for too long. */
  private static boolean isReadersFault(Throwable thrown) {
    for (Throwable t = thrown; t != null; t = t.getCause()) {
      if (t instanceof ClosedChannelException
          || t instanceof SocketException
          || t instanceof SocketTimeoutException) return true;
      if (t instanceof DataReader.InsufficientDataAvailableException) {
        return true;
      }
      if (t instanceof SocketWriterException) return true;
    }
    return false;
  }

  private static void fail(Exchange exchange, ApiError error) {
    if (exchange.isBegun()) return; // Half an answer cannot be taken back; the connection ends.
    if (error.retryAfterSeconds() > 0) {
      exchange.header("Retry-After", Integer.toString(error.retryAfterSeconds()));
    }
    if (error.status() == 401) exchange.header("WWW-Authenticate", "Bearer");
    if (error.status() == 413) exchange.closeConnection();
    try {
      exchange.json(error.status(), error.body());
    } catch (RuntimeException e) {
      LOG.debug("request {} was not there any more to be refused", exchange.id(), e);
    }
  }

  /**
   * Takes no more requests, which readiness says, and waits for those it has.
   *
   * @return whether all were answered
   */
  public boolean drain(Duration patience) throws InterruptedException {
    draining = true;
    return engine.drain(patience);
  }

  /** Ends all connections. */
  @Override
  public void close() {
    draining = true;
    web.stop();
    connections.close();
  }
}
