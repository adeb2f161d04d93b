package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.server.Served.error;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.bmojo.error.BadInput;
import org.bmojo.serve.EngineStatus;
import org.bmojo.serve.Generation.Reason;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What surrounds the model: keys, limits, health, and clients who behave badly. */
@Timeout(60)
class ServerTest {
  private static final String KEY = "0123456789abcdef-secret";
  private static final String ENDLESS =
      "{\"prompt\":\"a\",\"max_tokens\":90000,\"ignore_eos\":true,\"stream\":true}";

  @TempDir Path folder;

  private ServerSettings settings() {
    return ServerSettings.local(0, "tiny", folder)
        .withTimes(Duration.ofSeconds(30), Duration.ofMillis(50));
  }

  @Test
  void onlyWhoShowsAKeyComesIn() throws Exception {
    try (Served served =
        new Served(settings().withKeys(List.of("another-key-of-16", KEY)), Served.LIMITS)) {
      assertThat(served.get("/v1/models").statusCode()).isEqualTo(200);
      for (String shown : new String[] {"", "Bearer wrong", "Bearer", KEY, "Basic " + KEY}) {
        for (String path : new String[] {"/v1/models", "/metrics", "/v1/sessions"}) {
          var request = HttpRequest.newBuilder(served.uri(path));
          if (!shown.isEmpty()) request.header("Authorization", shown);
          HttpResponse<String> response = served.send(request.build());
          assertThat(error(response, 401).get("code").stringValue()).isEqualTo("invalid_api_key");
          assertThat(response.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
        }
      }
      for (String open : new String[] {"/health/live", "/health/ready", "/"}) {
        var request = HttpRequest.newBuilder(served.uri(open)).build();
        assertThat(served.send(request).statusCode()).as(open).isEqualTo(200);
      }
    }
  }

  @Test
  void othersAreListenedToWithAKeyOnly() {
    assertThatThrownBy(() ->
            new ServerSettings(
                "0.0.0.0",
                0,
                List.of(),
                "m",
                folder,
                1,
                1,
                1,
                Duration.ofSeconds(1),
                Duration.ofSeconds(1)))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("without an API key");
    assertThatThrownBy(() -> settings().withKeys(List.of("short")))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("at least 16");
  }

  @Test
  void pagesOfOtherSitesAreKeptOut() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      var foreign = served.request("/v1/models").header("Origin", "https://evil.example").build();
      error(served.send(foreign), 403);
      var own = served.request("/v1/models");
      own.header("Origin", "http://127.0.0.1:" + served.server.port());
      assertThat(served.send(own.build()).statusCode()).isEqualTo(200);
      // A name that was made to point here.
      assertThat(raw(served, "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n"))
          .startsWith("HTTP/1.1 403");
    }
  }

  @Test
  void whatDoesNotExistIsSaidInJson() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      error(served.get("/nothing"), 404);
      error(served.get("/v1/completions"), 405);
      error(served.get("/../../etc/passwd"), 404);
      error(served.post("/v1/models", "{}"), 405);
      assertThat(raw(served, "NONSENSE\r\n\r\n")).startsWith("HTTP/1.1 400").contains("\"error\"");
    }
  }

  private static String raw(Served served, String request) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", served.server.port())) {
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      socket.getOutputStream().flush();
      socket.setSoTimeout(5000);
      byte[] answer = new byte[2000];
      int count = socket.getInputStream().read(answer);
      return new String(answer, 0, Math.max(0, count), StandardCharsets.ISO_8859_1);
    }
  }

  @Test
  void largeBodiesAreRefusedAndTheNextRequestIsServed() throws Exception {
    try (Served served = new Served(settings().withBody(2000), Served.LIMITS)) {
      String large = "{\"prompt\":\"" + "a".repeat(3000) + "\"}";
      error(served.post("/v1/completions", large), 413);
      // Of a length that is not told.
      var chunked =
          BodyPublishers.ofInputStream(
              () -> new ByteArrayInputStream(large.getBytes(StandardCharsets.UTF_8)));
      error(served.send(served.request("/v1/completions").POST(chunked).build()), 413);
      served.ask("/v1/completions", "{'prompt': 'a', 'max_tokens': 2}");
    }
  }

  @Test
  void whoLeavesFreesTheSlot() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS.withSlots(1))) {
      var request =
          served.request("/v1/completions").POST(BodyPublishers.ofString(ENDLESS)).build();
      HttpResponse<InputStream> endless = served.client.send(request, BodyHandlers.ofInputStream());
      try (InputStream body = endless.body()) {
        assertThat(body.read()).isEqualTo('d');
      }
      // The only slot: this is answered once the first has been noticed to have left.
      served.ask("/v1/completions", "{'prompt': 'b', 'max_tokens': 2}");
      assertThat(served.engine.status().ended().get(Reason.CANCELLED)).isEqualTo(1);
    }
  }

  /** The heartbeat is written to those who wait, too. */
  @Test
  void whoLeavesWhileWaitingInLineIsForgotten() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS.withSlots(1))) {
      List<CompletableFuture<HttpResponse<InputStream>>> all = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        var request =
            served.request("/v1/completions").POST(BodyPublishers.ofString(ENDLESS)).build();
        all.add(served.client.sendAsync(request, BodyHandlers.ofInputStream()));
      }
      List<InputStream> bodies = new ArrayList<>();
      for (var one : all) bodies.add(one.get().body()); // headers come with the heartbeat
      for (InputStream body : bodies) body.close();
      served.ask("/v1/completions", "{'prompt': 'b', 'max_tokens': 2}");
      assertThat(served.engine.status().ended().get(Reason.CANCELLED)).isEqualTo(3);
    }
  }

  @Test
  void tooManyAreToldWhenToComeBack() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS.withSlots(1).withQueue(1))) {
      List<InputStream> busy = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        var request =
            served.request("/v1/completions").POST(BodyPublishers.ofString(ENDLESS)).build();
        busy.add(served.client.send(request, BodyHandlers.ofInputStream()).body());
      }
      HttpResponse<String> refused = served.post("/v1/completions", "{\"prompt\":\"a\"}");
      assertThat(error(refused, 429).get("type").stringValue()).isEqualTo("rate_limit_error");
      String seconds = refused.headers().firstValue("Retry-After").orElse("");
      assertThat(Integer.parseInt(seconds)).isBetween(1, 60);
      for (InputStream body : busy) body.close();
    }
  }

  @Test
  void silentClientsAreCutOffAndOthersServed() throws Exception {
    try (Served served =
        new Served(
            settings().withTimes(Duration.ofMillis(300), Duration.ofMillis(50)), Served.LIMITS)) {
      List<Socket> idle = new ArrayList<>();
      for (int i = 0; i < 200; i++) idle.add(new Socket("127.0.0.1", served.server.port()));
      try (Socket slow = new Socket("127.0.0.1", served.server.port())) {
        String half =
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{";
        slow.getOutputStream().write(half.getBytes(StandardCharsets.ISO_8859_1));
        served.ask("/v1/completions", "{'prompt': 'b', 'max_tokens': 2}");
        slow.setSoTimeout(10_000);
        while (slow.getInputStream().read() >= 0) {
          // Whatever it is told, it ends.
        }
      }
      for (Socket socket : idle) socket.close();
    }
  }

  @Test
  void drainingAnswersWhoIsThereAndRefusesOthers() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      String body = "{\"prompt\":\"a\",\"max_tokens\":300,\"stream\":true,\"seed\":1}";
      var request = served.request("/v1/completions").POST(BodyPublishers.ofString(body)).build();
      HttpResponse<InputStream> last = served.client.send(request, BodyHandlers.ofInputStream());
      CompletableFuture<Boolean> drained =
          CompletableFuture.supplyAsync(() -> {
            try {
              return served.server.drain(Duration.ofSeconds(50));
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
      while (served.get("/health/ready").statusCode() == 200) Thread.onSpinWait();
      HttpResponse<String> refused = served.post("/v1/completions", "{\"prompt\":\"a\"}");
      error(refused, 503);
      assertThat(refused.headers().firstValue("Retry-After")).isPresent();
      assertThat(served.get("/health/live").statusCode()).isEqualTo(200);
      String all = new String(last.body().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(all).endsWith("data: [DONE]\n\n");
      assertThat(drained.get()).isTrue();
    }
  }

  @Test
  void aFailureInAStreamIsAnEvent() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      var request =
          served.request("/v1/completions").POST(BodyPublishers.ofString(ENDLESS)).build();
      HttpResponse<InputStream> response =
          served.client.send(request, BodyHandlers.ofInputStream());
      served.engine.close();
      String all = new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
      List<String> data = CompletionsTest.data(all);
      JsonNode error = Served.JSON.readTree(data.getLast()).get("error");
      assertThat(error.get("code").stringValue()).isEqualTo("unavailable");
      assertThat(served.get("/health/ready").statusCode()).isEqualTo(503);
    }
  }

  @Test
  void metricsCountWhatHappened() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      JsonNode answer =
          served.ask("/v1/completions", "{'prompt': 'abc', 'max_tokens': 5, 'seed': 1}");
      served.get("/nothing");
      String text = served.get("/metrics").body();
      assertThat(text)
          .contains(
              "bmojo_requests_total{method=\"POST\",route=\"/v1/completions\",status=\"200\"} 1")
          .contains("bmojo_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1")
          .contains("bmojo_tokens_total " + answer.at("/usage/completion_tokens").intValue())
          .contains("bmojo_prompt_tokens_total 3")
          .contains("bmojo_time_to_first_token_seconds_count 1")
          .containsPattern("bmojo_tokens_per_second [0-9.]+")
          .contains("bmojo_slots 4");
      EngineStatus status = served.engine.status();
      assertThat(status.waiting() + status.reading()).isZero();
    }
  }

  @Test
  void everyAnswerHasAnId() throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      String one = served.get("/v1/models").headers().firstValue("X-Request-Id").orElse("");
      String two = served.get("/nothing").headers().firstValue("X-Request-Id").orElse("");
      assertThat(one).startsWith("req-").isNotEqualTo(two);
      assertThat(two).startsWith("req-");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/app.js", "/memory.js", "/style.css"})
  void thePageComesFromHereOnly(String path) throws Exception {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      HttpResponse<String> response = served.get(path);
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.headers().firstValue("Content-Security-Policy").orElse(""))
          .contains("default-src 'none'");
      assertThat(response.body()).doesNotContain("http://").doesNotContain("https://");
    }
  }

  @Test
  void aPortInUseIsSaid() {
    try (Served served = new Served(settings(), Served.LIMITS)) {
      ServerSettings same = ServerSettings.local(served.server.port(), "tiny", folder);
      assertThatThrownBy(() -> new Served(same, Served.LIMITS).close())
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("port");
    }
  }
}
