package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.server.Served.error;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The ways of asking wrongly for sessions; the only one there is stays the only file. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SessionRequestsTest {
  private Path folder;
  private Served served;

  @BeforeAll
  void start(@TempDir Path temporary) throws Exception {
    folder = temporary;
    served = new Served(folder.resolve("sessions"));
    served.ask("/v1/sessions", "{'input': 'Hello', 'id': 'good'}");
  }

  @AfterAll
  void end() {
    served.close();
  }

  private Path good() {
    return folder.resolve("sessions/session-good.bm");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "/v1/sessions; {'input': 'a', 'id': '../x'}; session",
        "/v1/sessions; {'input': 'a', 'id': '/etc/x'}; session",
        "/v1/sessions; {'input': 'a', 'id': ''}; session",
        "/v1/sessions; {'input': 'a', 'id': 7}; id",
        "/v1/sessions; {'input': 'a', 'from': '..\\\\x'}; session",
        "/v1/sessions; {'input': 'a', 'name': 'x'}; name",
        "/v1/sessions; {'input': ''}; input",
        "/v1/sessions; {'input': ['a']}; input",
        "/v1/sessions; {'input': 'a'; ",
        "/v1/sessions/good/fork; {'id': '../x'}; session",
        "/v1/sessions/good/fork; {'id': 'x', 'to': 'y'}; to",
        "/v1/sessions/good/fork; [; ",
        "/v1/completions; {'prompt': 'a', 'save_session': '../x'}; session",
        "/v1/completions; {'prompt': 'a', 'save_session': ''}; session",
      })
  void badRequestsSayWhatIsWrongAndLeaveNothing(String path, String body, String param)
      throws Exception {
    JsonNode error = error(served.post(path, body.replace('\'', '"')), 400);
    assertThat(error.get("param").asString("")).isEqualTo(param == null ? "" : param);
    try (var files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile)).containsExactly(good());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "a%00b",
        "A",
        "a.b",
        ".hidden",
        "-a",
        "%C3%A9",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      })
  void namesReachNothingElse(String name) throws Exception {
    for (String path : new String[] {"", "/memory", "/attention", "/file"}) {
      HttpResponse<String> response = served.get("/v1/sessions/" + name + path);
      assertThat(response.statusCode()).as(name + path).isIn(400, 404);
      error(response, response.statusCode());
    }
    String file = "/v1/sessions/" + name + "/file";
    var one = BodyPublishers.ofByteArray(new byte[] {1});
    HttpResponse<String> put = served.send(served.request(file).PUT(one).build());
    assertThat(put.statusCode()).as(name).isIn(400, 404);
    error(put, put.statusCode());
    try (var files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile)).containsExactly(good());
    }
  }
}
