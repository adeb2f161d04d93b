package org.bmojo.server;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.bmojo.model.Footprint;
import org.bmojo.serve.Engine;
import org.bmojo.serve.Generation.Times;
import org.bmojo.serve.Library;
import org.jspecify.annotations.Nullable;

/** Which path does what. */
final class Routes {
  private final List<Route> routes = new ArrayList<>();

  /** What answers a request. */
  @FunctionalInterface
  interface Handler {
    void handle(Exchange exchange) throws InterruptedException;
  }

  /** The same for a path with a name in it. */
  @FunctionalInterface
  private interface Named {
    void handle(Exchange exchange, String name) throws InterruptedException;
  }

  /**
   * A route found.
   *
   * @param pattern for the metrics, where names would be too many
   * @param guarded whether a key is asked for
   */
  record Match(String pattern, boolean guarded, Handler handler) {}

  private record Route(String method, String pattern, boolean guarded, Named handler) {}

  Routes(
      ServerSettings settings,
      Engine engine,
      Completions completions,
      Sessions sessions,
      @Nullable Library library,
      ServerMetrics metrics,
      BooleanSupplier draining) {
    int most = settings.body();
    Named complete =
        (e, _) -> {
          requireOpen(draining);
          Ask ask = Ask.completion(Wire.object(e.body(most)));
          log(e, completions.answer(e, ask));
        };
    Named chat =
        (e, _) -> {
          requireOpen(draining);
          Ask ask = Ask.chat(Wire.object(e.body(most)));
          log(e, completions.answer(e, ask));
        };
    guarded("POST", "/v1/completions", complete);
    guarded("POST", "/v1/chat/completions", chat);
    Map<String, Object> model =
        Map.of("id", settings.name(), "object", "model", "created", 0, "owned_by", "bmojo");
    guarded(
        "GET",
        "/v1/models",
        (e, _) -> e.json(200, Map.of("object", "list", "data", List.of(model))));
    guarded(
        "GET",
        "/v1/models/{name}",
        (e, name) -> {
          if (!name.equals(settings.name())) {
            throw ApiError.notFound("There is no model \"" + name + "\".", "model_not_found");
          }
          e.json(200, model);
        });
    guarded("GET", "/v1/sessions", (e, _) -> sessions.list(e));
    guarded(
        "POST",
        "/v1/sessions",
        (e, _) -> {
          requireOpen(draining);
          sessions.create(e, e.body(most));
        });
    guarded("GET", "/v1/sessions/{name}", sessions::show);
    guarded("DELETE", "/v1/sessions/{name}", sessions::delete);
    guarded("POST", "/v1/sessions/{name}/fork", (e, n) -> sessions.fork(e, n, e.body(most)));
    guarded("GET", "/v1/sessions/{name}/file", sessions::export);
    int memory = (int) Math.min(Integer.MAX_VALUE - 8, memoryBytes(engine, most));
    guarded("PUT", "/v1/sessions/{name}/file", (e, n) -> sessions.put(e, n, e.body(memory)));
    guarded("GET", "/v1/sessions/{name}/memory", sessions::memory);
    guarded("GET", "/v1/sessions/{name}/attention", sessions::attention);
    guarded(
        "GET",
        "/metrics",
        (e, _) ->
            e.send(
                200,
                "text/plain; version=0.0.4; charset=utf-8",
                metrics
                    .text(engine.status(), engine.settings().slots(), library)
                    .getBytes(StandardCharsets.UTF_8)));
    open("/health/live", (e, _) -> e.json(200, Map.of("status", "UP")));
    open(
        "/health/ready",
        (e, _) -> {
          boolean ready = !draining.getAsBoolean() && engine.isRunning();
          e.json(ready ? 200 : 503, Map.of("status", ready ? "UP" : "DOWN"));
        });
    for (String file : Page.FILES) open(Page.path(file), (e, _) -> Page.send(e, file));
  }

  /** A memory's file may be larger than a request's text. */
  private static long memoryBytes(Engine engine, int body) {
    long state = Footprint.stateBytes(engine.model().config(), engine.settings().longest());
    return Math.max(body, 2 * state + 8L * engine.settings().longest());
  }

  private static void requireOpen(BooleanSupplier draining) {
    if (draining.getAsBoolean()) throw ApiError.closing();
  }

  private static void log(Exchange exchange, Times times) {
    exchange.note(times);
  }

  private void guarded(String method, String pattern, Named handler) {
    routes.add(new Route(method, pattern, true, handler));
  }

  private void open(String pattern, Named handler) {
    routes.add(new Route("GET", pattern, false, handler));
  }

  /** The route of a request. */
  Match find(Exchange exchange) {
    // As it was sent: what is escaped is no name of ours, and "." and ".." are names like others.
    String[] path = exchange.path().split("/", -1);
    boolean other = false;
    for (Route route : routes) {
      String name = match(route.pattern.split("/", -1), path);
      if (name == null) continue;
      other = true;
      if (!route.method.equals(exchange.method())) continue;
      return new Match(route.pattern, route.guarded, e -> route.handler.handle(e, name));
    }
    String shown = exchange.path();
    shown = shown.length() > 80 ? shown.substring(0, 80) + "…" : shown;
    if (other) throw ApiError.method(exchange.method(), shown);
    throw ApiError.notFound("There is nothing at " + shown + ".", "not_found");
  }

  /** The part of {@code path} in place of {@code {name}}, "" where there is none to fill in. */
  private static @Nullable String match(String[] pattern, String[] path) {
    if (pattern.length != path.length) return null;
    String name = "";
    for (int i = 0; i < path.length; i++) {
      if (pattern[i].equals("{name}")) {
        name = path[i];
      } else if (!pattern[i].equals(path[i])) {
        return null;
      }
    }
    return name;
  }
}
