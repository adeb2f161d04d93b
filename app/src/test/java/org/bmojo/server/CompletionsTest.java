package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.server.Served.error;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What is asked of the model, and the many ways of asking wrongly. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CompletionsTest {
  private static final String COMPLETIONS = "/v1/completions", CHAT = "/v1/chat/completions";

  private Served served;

  @BeforeAll
  void start(@TempDir Path folder) {
    served = new Served(folder);
  }

  @AfterAll
  void end() {
    served.close();
  }

  @Test
  void aCompletionReproduces() throws Exception {
    String body = "{'model': 'tiny', 'prompt': 'Once', 'max_tokens': 20, 'seed': 3, 'top_p': 0.9}";
    JsonNode answer = served.ask(COMPLETIONS, body);
    assertThat(answer.get("object").stringValue()).isEqualTo("text_completion");
    assertThat(answer.at("/usage/prompt_tokens").intValue()).isEqualTo(4);
    assertThat(answer.at("/choices/0/finish_reason").stringValue()).isIn("length", "stop");
    assertThat(answer.at("/choices/0/text")).isEqualTo(text(served.ask(COMPLETIONS, body)));
    JsonNode other = served.ask(COMPLETIONS, body.replace("3,", "4,"));
    assertThat(text(other)).isNotEqualTo(text(answer));
    JsonNode ids = served.ask(COMPLETIONS, body.replace("'Once'", "[79, 110, 99, 101]"));
    assertThat(text(ids)).isEqualTo(text(answer));
  }

  private static JsonNode text(JsonNode answer) {
    return answer.at("/choices/0/text");
  }

  @ParameterizedTest
  @ValueSource(strings = {"text/event-stream", "application/json", "*/*", "image/png", ""})
  void streamsWhateverIsAccepted(String accept) throws Exception {
    String body =
        "{'prompt': 'Once', 'max_tokens': 20, 'seed': 3, 'stream': true,"
            + " 'stream_options': {'include_usage': true}}";
    var request =
        served.request(COMPLETIONS).POST(BodyPublishers.ofString(body.replace('\'', '"')));
    if (!accept.isEmpty()) request.header("Accept", accept);
    HttpResponse<String> response = served.send(request.build());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type").orElse(""))
        .startsWith("text/event-stream");
    List<String> data = data(response.body());
    assertThat(data.getLast()).isEqualTo("[DONE]");
    StringBuilder text = new StringBuilder();
    for (String chunk : data.subList(0, data.size() - 1)) {
      JsonNode node = Served.JSON.readTree(chunk);
      if (!node.get("choices").isEmpty()) text.append(text(node).stringValue());
    }
    JsonNode whole = served.ask(COMPLETIONS, "{'prompt': 'Once', 'max_tokens': 20, 'seed': 3}");
    assertThat(text).hasToString(text(whole).stringValue());
    assertThat(Served.JSON.readTree(data.get(data.size() - 2)).at("/usage"))
        .isEqualTo(whole.get("usage"));
  }

  static List<String> data(String events) {
    return events
        .lines()
        .filter(line -> line.startsWith("data: "))
        .map(line -> line.substring(6))
        .toList();
  }

  @Test
  void aChatHasTurns() throws Exception {
    String body =
        "{'messages': [{'role': 'system', 'content': 'Be kind.'}, {'role': 'user', 'content':"
            + " [{'type': 'text', 'text': 'Hi'}]}], 'max_completion_tokens': 12, 'seed': 1,"
            + " 'logprobs': true, 'top_logprobs': 2}";
    JsonNode answer = served.ask(CHAT, body);
    assertThat(answer.get("object").stringValue()).isEqualTo("chat.completion");
    assertThat(answer.at("/choices/0/message/role").stringValue()).isEqualTo("assistant");
    JsonNode scored = answer.at("/choices/0/logprobs/content");
    assertThat(scored.size()).isPositive();
    for (JsonNode token : scored) {
      assertThat(token.get("logprob").doubleValue()).isNegative();
      assertThat(token.get("top_logprobs").size()).isEqualTo(2);
      double best = token.at("/top_logprobs/0/logprob").doubleValue();
      assertThat(best).isGreaterThanOrEqualTo(token.get("logprob").doubleValue());
    }
    String streaming = body.replace("'seed'", "'stream': true, 'seed'").replace('\'', '"');
    List<String> data = data(served.post(CHAT, streaming).body());
    assertThat(Served.JSON.readTree(data.getFirst()).at("/choices/0/delta/role").stringValue())
        .isEqualTo("assistant");
    StringBuilder text = new StringBuilder();
    for (String chunk : data.subList(0, data.size() - 1)) {
      text.append(Served.JSON.readTree(chunk).at("/choices/0/delta/content").asString(""));
    }
    assertThat(text.toString().strip())
        .isEqualTo(answer.at("/choices/0/message/content").stringValue());
  }

  @Test
  void stopStringsEndAnswers() throws Exception {
    String whole =
        text(served.ask(COMPLETIONS, "{'prompt': 'a', 'max_tokens': 40, 'seed': 5}")).stringValue();
    String stop = whole.substring(20, 22);
    String escaped = Served.JSON.writeValueAsString(stop);
    String body =
        "{\"prompt\": \"a\", \"max_tokens\": 40, \"seed\": 5, \"stop\": [" + escaped + "]}";
    JsonNode cut = Served.JSON.readTree(served.post(COMPLETIONS, body).body());
    assertThat(text(cut).stringValue()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
    assertThat(cut.at("/choices/0/finish_reason").stringValue()).isEqualTo("stop");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{; ; no JSON",
        "[]; ; no JSON object",
        "{} {}; ; no JSON",
        "{'prompt': 'a', 'prompt': 'b'}; ; no JSON",
        "{'prompt': 'a', 'max_tokns': 3}; max_tokns; expected one of",
        "{'prompt': {}}; prompt; an array of ids",
        "{'prompt': ['a', 'b']}; prompt[0]; several requests",
        "{'prompt': [1, 2.5]}; prompt[1]; an id",
        "{'prompt': [257]}; ; id 257 at position 0",
        "{'prompt': [-1]}; ; id -1 at position 0",
        "{'prompt': 'a', 'max_tokens': 'many'}; max_tokens; whole number",
        "{'prompt': 'a', 'max_tokens': -1}; max_tokens; whole number",
        "{'prompt': 'a', 'max_tokens': 99999999999}; max_tokens; whole number",
        "{'prompt': 'a', 'max_tokens': 100000}; ; expected at most 100000",
        "{'prompt': 'a', 'temperature': -1}; ; temperature -1",
        "{'prompt': 'a', 'temperature': 'hot'}; temperature; a number",
        "{'prompt': 'a', 'top_p': 0}; ; top-p 0",
        "{'prompt': 'a', 'n': 2}; n; expected 1",
        "{'prompt': 'a', 'echo': true}; echo; expected false",
        "{'prompt': 'a', 'logprobs': 21}; logprobs; from 0 to 20",
        "{'prompt': 'a', 'stop': ['']}; ; empty stop string",
        "{'prompt': 'a', 'stop': 3}; stop; a string or an array",
        "{'prompt': 'a', 'stream': 1}; stream; true or false",
        "{'prompt': 'a', 'stream_options': {'x': 1}}; stream_options.x; expected one of",
        "{'prompt': 'a', 'seed': 1e99}; seed; whole number",
        "{'prompt': 'a', 'session': '../../etc/passwd'}; session; up to 64",
        "{'prompt': 'a', 'save_session': 'A/b'}; session; up to 64",
      })
  void badCompletionsSayWhatIsWrong(String body, String param, String words) throws Exception {
    JsonNode error = error(served.post(COMPLETIONS, body.replace('\'', '"')), 400);
    assertThat(error.get("message").stringValue()).contains(words);
    assertThat(error.get("param").asString("")).isEqualTo(param == null ? "" : param);
    assertThat(error.get("type").stringValue()).isEqualTo("invalid_request_error");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{}; messages",
        "{'messages': []}; messages",
        "{'messages': 'Hi'}; messages",
        "{'messages': ['Hi']}; messages[0]",
        "{'messages': [{'role': 'robot', 'content': 'Hi'}]}; messages[0].role",
        "{'messages': [{'role': 'user'}]}; messages[0].content",
        "{'messages': [{'role': 'user', 'content': [{'type': 'image_url'}]}]}; messages[0].content",
        "{'messages': [{'role': 'user', 'content': 'Hi', 'x': 1}]}; messages[0].x",
        "{'messages': [{'role': 'user', 'content': 'Hi'}], 'tools': [{}]}; tools",
        "{'messages': [{'role': 'user', 'content': 'Hi'}], 'response_format': {'type':"
            + " 'json_object'}}; response_format",
      })
  void badChatsSayWhatIsWrong(String body, String param) throws Exception {
    JsonNode error = error(served.post(CHAT, body.replace('\'', '"')), 400);
    assertThat(error.get("param").stringValue()).isEqualTo(param);
  }

  @Test
  void bytesThatAreNoTextAndDeepNestingAreRefused() throws Exception {
    var latin = BodyPublishers.ofByteArray(new byte[] {'{', '"', (byte) 0xe9, '"', ':', '1', '}'});
    error(served.send(served.request(COMPLETIONS).POST(latin).build()), 400);
    String deep = "{\"prompt\":" + "[".repeat(50_000) + "]".repeat(50_000) + "}";
    error(served.post(COMPLETIONS, deep), 400);
    error(served.post(COMPLETIONS, ""), 400);
  }

  /** Longer than a sequence may be, though not than a body: refused before a slot is taken. */
  @Test
  void promptsThatAreTooLongAreRefused() throws Exception {
    String letters = "a".repeat(100_001), ids = "1,".repeat(100_000) + "1";
    for (String prompt : new String[] {"\"" + letters + "\"", "[" + ids + "]"}) {
      JsonNode error = error(served.post(COMPLETIONS, "{\"prompt\":" + prompt + "}"), 400);
      assertThat(error.get("message").stringValue()).contains("at most 100000");
    }
    String chat = "{\"messages\":[{\"role\":\"user\",\"content\":\"" + letters + "\"}]}";
    error(served.post(CHAT, chat), 400);
    error(served.post("/v1/sessions", "{\"input\":\"" + letters + "\"}"), 400);
    String large = "{\"prompt\":\"" + "a".repeat(9 << 20) + "\"}";
    error(served.post(COMPLETIONS, large), 413);
    assertThat(served.engine.status().promptTokens()).isLessThan(100_000);
  }

  @Test
  void otherModelsAreNotHere() throws Exception {
    JsonNode error = error(served.post(COMPLETIONS, "{\"model\":\"gpt\",\"prompt\":\"a\"}"), 404);
    assertThat(error.get("code").stringValue()).isEqualTo("model_not_found");
    JsonNode list = Served.JSON.readTree(served.get("/v1/models").body());
    assertThat(list.at("/data/0/id").stringValue()).isEqualTo("tiny");
    assertThat(served.get("/v1/models/tiny").statusCode()).isEqualTo(200);
    error(served.get("/v1/models/gpt"), 404);
  }

  /** Sixteen different requests, each many times at once: nobody gets another's answer. */
  @Test
  void manyStreamsAreNotMixedUp() throws Exception {
    List<String> alone = new ArrayList<>();
    for (int i = 0; i < 16; i++) alone.add(String.join("\n", texts(i)));
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<List<String>>> all = new ArrayList<>();
      for (int i = 0; i < 48; i++) {
        int which = i % 16;
        all.add(threads.submit(() -> texts(which)));
      }
      for (int i = 0; i < all.size(); i++) {
        assertThat(String.join("\n", all.get(i).get())).isEqualTo(alone.get(i % 16));
      }
    }
  }

  private List<String> texts(int i) throws Exception {
    String body =
        "{\"prompt\":\"%s\",\"max_tokens\":%d,\"seed\":%d,\"stream\":true}"
            .formatted("ab".repeat(1 + i * 3), 5 + i, i);
    List<String> texts = new ArrayList<>();
    for (String chunk : data(served.post(COMPLETIONS, body).body())) {
      if (!chunk.equals("[DONE]")) texts.add(text(Served.JSON.readTree(chunk)).stringValue());
    }
    return texts;
  }
}
