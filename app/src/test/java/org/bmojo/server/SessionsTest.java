package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.server.Served.error;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class SessionsTest {
  @TempDir Path folder;
  private Served served;

  @BeforeEach
  void start() {
    served = new Served(folder.resolve("sessions"));
  }

  @AfterEach
  void end() {
    served.close();
  }

  private String text(String body) throws Exception {
    return served.ask("/v1/completions", body).at("/choices/0/text").stringValue();
  }

  /** Whatever the chunks, in float32 the same bytes are chosen for so short a text. */
  @Test
  void aSessionAnswersAsItsTextWould() throws Exception {
    String document = "The cat sat on the mat. ".repeat(9);
    served.ask("/v1/sessions", "{'input': '" + document + "', 'id': 'cat'}");
    String rest = "'max_tokens': 12, 'temperature': 0, ";
    String whole = text("{" + rest + "'prompt': '" + document + "And'}");
    for (int i = 0; i < 2; i++) {
      assertThat(text("{" + rest + "'prompt': 'And', 'session': 'cat'}")).isEqualTo(whole);
    }
  }

  @Test
  void whatWasSaidIsRemembered() throws Exception {
    String first = "{'prompt': 'abc', 'max_tokens': 9, 'seed': 2, 'save_session': 'talk'}";
    JsonNode answer = served.ask("/v1/completions", first);
    assertThat(answer.get("session").stringValue()).isEqualTo("talk");
    JsonNode view = Served.JSON.readTree(served.get("/v1/sessions/talk/memory").body());
    assertThat(view.get("tokens").intValue()).isEqualTo(view.get("texts").size());
    StringBuilder all = new StringBuilder();
    for (JsonNode token : view.get("texts")) all.append(token.stringValue());
    assertThat(all.toString()).startsWith("abc").hasSizeGreaterThanOrEqualTo(3);
    assertThat(view.get("layers").size()).isPositive();
    assertThat(view.get("state_bytes").longValue()).isPositive();
    // In a chat, and over its own name.
    String more =
        "{'messages': [{'role': 'user', 'content': 'd'}], 'max_tokens': 5, 'session': 'talk',"
            + " 'save_session': 'talk', 'stream': true}";
    served.post("/v1/chat/completions", more.replace('\'', '"'));
    JsonNode later = Served.JSON.readTree(served.get("/v1/sessions/talk/memory").body());
    assertThat(later.get("tokens").intValue()).isGreaterThan(view.get("tokens").intValue());
  }

  @Test
  void theNewestTokensAttentionIsTold() throws Exception {
    String text = "The cat sat on the mat. ".repeat(9);
    served.ask("/v1/sessions", "{'input': '" + text + "', 'id': 'cat'}");
    byte[] before = Files.readAllBytes(folder.resolve("sessions/session-cat.bm"));
    JsonNode view = Served.JSON.readTree(served.get("/v1/sessions/cat/attention").body());
    assertThat(view.get("position").intValue()).isEqualTo(text.length() - 1);
    assertThat(view.get("layers").size()).isPositive();
    for (JsonNode layer : view.get("layers")) {
      double sum = 0;
      for (JsonNode share : layer.get("shares")) sum += share.doubleValue();
      assertThat(sum).isCloseTo(1, within(1e-9));
      assertThat(layer.at("/shares/eidetic").doubleValue()).isPositive();
      JsonNode most = layer.get("most");
      assertThat(most.get(0).get("weight").doubleValue())
          .isGreaterThanOrEqualTo(most.get(1).get("weight").doubleValue());
    }
    assertThat(folder.resolve("sessions/session-cat.bm")).hasBinaryContent(before);
    error(served.get("/v1/sessions/dog/attention"), 404);
  }

  @Test
  void sessionsAreListedForkedMovedAndForgotten() throws Exception {
    JsonNode made = served.ask("/v1/sessions", "{'input': 'Hello'}");
    String name = made.get("id").stringValue();
    assertThat(name).matches("s-[0-9a-f]{24}");
    served.ask("/v1/sessions/" + name + "/fork", "{'id': 'copy'}");
    served.ask("/v1/sessions", "{'input': ' world', 'from': 'copy', 'id': 'longer'}");
    error(served.post("/v1/sessions", "{\"input\": \"x\", \"id\": \"copy\"}"), 409);
    error(served.post("/v1/sessions/copy/fork", "{\"id\": \"copy\"}"), 409);
    JsonNode list = Served.JSON.readTree(served.get("/v1/sessions").body());
    assertThat(list.get("data").size()).isEqualTo(3);
    byte[] file =
        served
            .client
            .send(served.request("/v1/sessions/copy/file").build(), BodyHandlers.ofByteArray())
            .body();
    HttpResponse<String> put = put("moved", file);
    assertThat(put.statusCode()).isEqualTo(200);
    String ask = "{'prompt': '!', 'max_tokens': 8, 'seed': 1, 'session': 'NAME'}";
    assertThat(text(ask.replace("NAME", "moved"))).isEqualTo(text(ask.replace("NAME", name)));
    var delete = served.request("/v1/sessions/moved").DELETE().build();
    assertThat(served.send(delete).statusCode()).isEqualTo(200);
    error(served.send(delete), 404);
    error(served.get("/v1/sessions/moved/memory"), 404);
    error(served.post("/v1/completions", "{\"prompt\":\"a\",\"session\":\"moved\"}"), 404);
  }

  private HttpResponse<String> put(String name, byte[] file) throws Exception {
    return served.send(
        served
            .request("/v1/sessions/" + name + "/file")
            .PUT(BodyPublishers.ofByteArray(file))
            .build());
  }

  @Test
  void damagedFilesAreRefusedAndHarmNobody() throws Exception {
    served.ask("/v1/sessions", "{'input': 'Hello', 'id': 'good'}");
    Path file = folder.resolve("sessions/session-good.bm");
    byte[] bytes = Files.readAllBytes(file);
    byte[] bad = bytes.clone();
    bad[bad.length / 2] ^= 1;
    assertThat(error(put("good", bad), 400).get("message").stringValue()).contains("was changed");
    error(put("other", new byte[] {1, 2, 3}), 400);
    error(put("other", new byte[0]), 400);
    assertThat(file).hasBinaryContent(bytes);
    Files.write(file, bad);
    error(served.post("/v1/completions", "{\"prompt\":\"a\",\"session\":\"good\"}"), 400);
    assertThat(text("{'prompt': 'a', 'max_tokens': 3}")).isNotNull();
  }

  @Test
  void filesCutOffOrAddedToAreRefused() throws Exception {
    served.ask("/v1/sessions", "{'input': 'Hello', 'id': 'good'}");
    byte[] bytes = file("good");
    int whole = bytes.length;
    for (int length : new int[] {0, 7, 8, 23, 24, 25, 1000, whole - 1, whole + 1, 2 * whole}) {
      error(put("part", Arrays.copyOf(bytes, length)), 400);
    }
    assertNothingIsStoredAs("part");
  }

  @Test
  void memoriesOfOtherModelsAreRefused() throws Exception {
    Path elsewhere = folder.resolve("elsewhere");
    byte[] foreign;
    try (Served other =
        new Served(
            ServerSettings.local(0, "other", elsewhere),
            Served.LIMITS,
            LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 2))) {
      other.ask("/v1/sessions", "{'input': 'Hello', 'id': 'theirs'}");
      foreign = Files.readAllBytes(elsewhere.resolve("session-theirs.bm"));
    }
    String message = error(put("theirs", foreign), 400).get("message").stringValue();
    assertThat(message).contains("made by model", "expected one of this model");
    assertNothingIsStoredAs("theirs");
    // Even where it was put into the folder by hand.
    Files.write(folder.resolve("sessions/session-theirs.bm"), foreign);
    for (String path : new String[] {"/memory", "/attention"}) {
      error(served.get("/v1/sessions/theirs" + path), 400);
    }
    error(served.post("/v1/completions", "{\"prompt\":\"a\",\"session\":\"theirs\"}"), 400);
    error(served.post("/v1/sessions", "{\"input\":\"a\",\"from\":\"theirs\"}"), 400);
    assertThat(text("{'prompt': 'a', 'max_tokens': 3}")).isNotNull();
  }

  @Test
  void filesLargerThanAnyMemoryAreRefused() throws Exception {
    error(put("large", new byte[20 << 20]), 413);
    assertNothingIsStoredAs("large");
  }

  private byte[] file(String name) throws Exception {
    return Files.readAllBytes(folder.resolve("sessions/session-" + name + ".bm"));
  }

  private void assertNothingIsStoredAs(String name) throws Exception {
    error(served.get("/v1/sessions/" + name), 404);
    try (var files = Files.walk(folder.resolve("sessions"))) {
      assertThat(files.map(f -> f.getFileName().toString())).noneMatch(f -> f.contains(name));
    }
  }

  @Test
  void aFolderThatWasDeletedIsMadeAgain() throws Exception {
    served.ask("/v1/sessions", "{'input': 'Hello', 'id': 'first'}");
    Files.delete(folder.resolve("sessions/session-first.bm"));
    Files.delete(folder.resolve("sessions"));
    assertThat(served.get("/v1/sessions").statusCode()).isEqualTo(200);
    error(served.get("/v1/sessions/first/memory"), 404);
    error(served.post("/v1/sessions/first/fork", ""), 404);
    served.ask("/v1/sessions", "{'input': 'Hello', 'id': 'second'}");
    assertThat(folder.resolve("sessions/session-second.bm")).exists();
  }
}
