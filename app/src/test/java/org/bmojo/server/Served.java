package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.DoublePredicate;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.serve.Engine;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.Library;
import org.bmojo.store.ExactStore;
import org.bmojo.store.StoreLimits;
import org.bmojo.surgery.AddStorage;
import org.bmojo.text.ByteTokenizer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A tiny random model behind a real socket, and a client. */
final class Served implements AutoCloseable {
  static final JsonMapper JSON = JsonMapper.builder().build();
  static final EngineSettings LIMITS =
      new EngineSettings(4, 64, 32, 100_000, Duration.ofMinutes(1));

  final LanguageModel model;
  final Engine engine;
  final Server server;
  final HttpClient client = HttpClient.newHttpClient();
  private final @Nullable Library library;
  private final List<String> keys;

  Served(Path sessions) {
    this(ServerSettings.local(0, "tiny", sessions), LIMITS);
  }

  Served(ServerSettings settings, EngineSettings limits) {
    this(settings, limits, LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1));
  }

  /** With a model, which is closed with the rest. */
  Served(ServerSettings settings, EngineSettings limits, LanguageModel model) {
    keys = settings.keys();
    library = null;
    this.model = model;
    engine = new Engine(model, limits);
    server = new Server(settings, engine, new ByteTokenizer(), ChatTemplate.plain());
  }

  /** With a library in which a text is, as document {@code text}. */
  Served(Path sessions, String text) {
    keys = List.of();
    try (LanguageModel plain = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1)) {
      model = AddStorage.to(plain, StorageConfig.of(4, 4)).model();
    }
    library =
        new Library(
            model,
            new ExactStore(Library.identity(model), StoreLimits.NONE),
            Duration.ofMinutes(1));
    library.remember("text", text, new ByteTokenizer());
    engine = new Engine(model, LIMITS);
    server =
        new Server(
            ServerSettings.local(0, "tiny", sessions),
            engine,
            new ByteTokenizer(),
            ChatTemplate.plain(),
            library);
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + server.port() + path);
  }

  HttpRequest.Builder request(String path) {
    HttpRequest.Builder request = HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(60));
    if (!keys.isEmpty()) request.header("Authorization", "Bearer " + keys.getFirst());
    return request;
  }

  HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
    return client.send(request, BodyHandlers.ofString());
  }

  HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(request(path).build());
  }

  HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
    return send(request(path).POST(BodyPublishers.ofString(body)).build());
  }

  /** The answer to a good request. */
  JsonNode ask(String path, String body) throws IOException, InterruptedException {
    HttpResponse<String> response = post(path, body.replace('\'', '"'));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  /** The error that answers a bad one. */
  static JsonNode error(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
    JsonNode error = JSON.readTree(response.body()).get("error");
    assertThat(error.propertyNames()).containsExactlyInAnyOrder("message", "type", "param", "code");
    assertThat(error.get("message").stringValue()).isNotBlank();
    return error;
  }

  /** A number of {@code /metrics}; 0 where there is none yet. */
  double metric(String name) throws IOException, InterruptedException {
    return get("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .sum();
  }

  /** Waits until a metric has a value; whoever waits in vain is told by the test's own limit. */
  void awaitMetric(String name, DoublePredicate value) throws IOException, InterruptedException {
    while (!value.test(metric(name))) Thread.sleep(20);
  }

  @Override
  public void close() {
    server.close();
    engine.close();
    if (library != null) library.close();
    model.close();
    client.close();
  }
}
