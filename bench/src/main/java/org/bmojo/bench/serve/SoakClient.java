package org.bmojo.bench.serve;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.bmojo.bench.serve.SoakRequest.Manner;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** One of a server's clients. */
final class SoakClient {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final HttpClient http;
  private final URI completions;

  SoakClient(HttpClient http, int port) {
    this.http = http;
    completions = URI.create("http://127.0.0.1:" + port + "/v1/completions");
  }

  /**
   * What a client was told.
   *
   * @param text as far as it was read
   * @param firstNanos until the first token
   * @param events that had text
   * @param left whether it went away in the midst
   */
  record Answer(String text, long firstNanos, int events, boolean left) {}

  /**
   * Asks, and reads as it is its manner.
   *
   * @throws IOException if the answer is an error, or ends too early
   */
  Answer ask(SoakRequest request, Manner manner) throws IOException, InterruptedException {
    HttpRequest post =
        HttpRequest.newBuilder(completions)
            .timeout(Duration.ofMinutes(5))
            .POST(BodyPublishers.ofString(request.body()))
            .build();
    long begin = System.nanoTime();
    HttpResponse<InputStream> response = http.send(post, BodyHandlers.ofInputStream());
    try (InputStream body = response.body()) {
      if (response.statusCode() != 200) {
        String error = new String(body.readAllBytes(), StandardCharsets.UTF_8);
        throw new IOException("status " + response.statusCode() + ": " + error);
      }
      return read(body, begin, manner, 1 + request.tokens() / 2);
    }
  }

  /** A client that leaves does so after {@code enough} events, by closing the body. */
  private static Answer read(InputStream body, long begin, Manner manner, int enough)
      throws IOException, InterruptedException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8), 256);
    StringBuilder text = new StringBuilder();
    long first = 0;
    int events = 0;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.equals("data: [DONE]")) return new Answer(text.toString(), first, events, false);
      if (!line.startsWith("data: ")) continue;
      JsonNode event = JSON.readTree(line.substring(6));
      if (event.has("error")) throw new IOException(event.get("error").toString());
      String piece = event.at("/choices/0/text").asString("");
      if (piece.isEmpty()) continue;
      if (events++ == 0) first = System.nanoTime() - begin;
      text.append(piece);
      if (manner == Manner.LEAVES && events >= enough) {
        return new Answer(text.toString(), first, events, true);
      }
      if (manner == Manner.DAWDLES) Thread.sleep(20);
    }
    throw new IOException("the stream ended before [DONE]");
  }
}
