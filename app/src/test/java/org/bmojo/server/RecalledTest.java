package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A server whose model has a library. */
class RecalledTest {
  private static final String TEXT = "The cat sat on the mat. ".repeat(5);

  @TempDir Path folder;
  private Served served;

  @BeforeEach
  void start() {
    served = new Served(folder.resolve("sessions"), TEXT);
  }

  @AfterEach
  void end() {
    served.close();
  }

  @Test
  void anAnswerSaysWhatCameBack() throws Exception {
    JsonNode answer = served.ask("/v1/completions", "{'prompt': 'Who sat', 'max_tokens': 3}");
    JsonNode first = answer.get("recalled").get(0);
    assertThat(first.get("document").stringValue()).isEqualTo("text");
    int begin = first.get("begin").intValue(), end = first.get("end").intValue();
    assertThat(begin).isEqualTo(first.get("position").intValue()).isLessThan(end);
    assertThat(end).isLessThanOrEqualTo(TEXT.length());
    assertThat(first.get("times").intValue()).isPositive();
    String stream = "{\"prompt\": \"Who sat\", \"max_tokens\": 3, \"stream\": true}";
    assertThat(served.post("/v1/completions", stream).body()).contains("\"recalled\":[{");
  }

  @Test
  void aSessionRecallsWhatItLetGoUntilItIsDeleted() throws Exception {
    String long_ = "abcdefghijklmnopqrstuvwxyz".repeat(6);
    served.ask("/v1/sessions", "{'input': '" + long_ + "', 'id': 'letters'}");
    String more = "{'prompt': 'abcdefghijklm', 'session': 'letters', 'max_tokens': 8}";
    assertThat(own(served.ask("/v1/completions", more))).isPositive();
    served.send(served.request("/v1/sessions/letters").DELETE().build());
    // Another of that name begins anew.
    served.ask("/v1/sessions", "{'input': 'abc', 'id': 'letters'}");
    assertThat(own(served.ask("/v1/completions", more))).isZero();
    assertThat(
            served
                .send(
                    served
                        .request("/v1/completions")
                        .POST(BodyPublishers.ofString(more.replace('\'', '"')))
                        .build())
                .statusCode())
        .isEqualTo(200);
  }

  @Test
  void metricsCountTheStoresEntries() throws Exception {
    double entries = metric("bmojo_store_entries");
    assertThat(entries).isPositive().isEqualTo(metric("bmojo_store_committed_total"));
    served.ask("/v1/sessions", "{'input': '" + "abc".repeat(40) + "', 'id': 'letters'}");
    assertThat(metric("bmojo_store_dropped_total")).isZero();
    served.send(served.request("/v1/sessions/letters").DELETE().build()); // writes what waits
    assertThat(metric("bmojo_store_committed_total")).isGreaterThan(entries);
    assertThat(metric("bmojo_store_waiting")).isZero();
    assertThat(metric("bmojo_store_failed")).isZero();
    assertThat(metric("bmojo_store_entries")).as("the session's are gone").isEqualTo(entries);
  }

  private double metric(String name) throws Exception {
    return served
        .get("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length())))
        .findFirst()
        .orElseThrow();
  }

  /** Tokens that came from no document. */
  private static long own(JsonNode answer) {
    long own = 0;
    for (JsonNode token : answer.get("recalled")) {
      if (token.path("document").isMissingNode() || token.get("document").isNull()) own++;
    }
    return own;
  }
}
