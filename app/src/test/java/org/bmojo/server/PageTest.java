package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The page in a browser, driven over its debugging protocol. Needs chromium; CI must have it. */
@Timeout(120)
class PageTest {
  private static final List<String> PLACES =
      List.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome");

  private static final String LIBRARY = "A dog lay under the table. ".repeat(5);

  /** Types a message, and waits until it is answered and memory is drawn. */
  private static final String CHAT =
      """
      (async () => {
        const id = (x) => document.getElementById(x);
        const until = async (what) => {
          for (let i = 0; i < 400 && !what(); i++) await new Promise((r) => setTimeout(r, 50));
        };
        await until(() => id('model')?.textContent);
        // A random model ends when it likes; an answer to look at must be long.
        const plain = window.fetch;
        window.fetch = (path, o) => plain(path, path.includes('chat')
            ? { ...o, body: JSON.stringify({ ...JSON.parse(o.body), ignore_eos: true }) } : o);
        id('document').value = 'The cat sat on the mat. '.repeat(20);
        id('read').click();
        await until(() => id('sizes').children.length);
        const read = document.querySelectorAll('mark.held').length;
        id('tokens').value = '30';
        id('text').value = 'Hello';
        id('text').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        await until(() => id('turns').children.length === 2 && !id('send').disabled);
        return {
          model: id('model').textContent, read,
          turns: [...id('turns').children].map((li) => li.className + ':' + li.textContent),
          remembered: id('remembered').textContent.length,
          shares: [...document.querySelectorAll('#shares tbody tr')].map((r) => r.textContent),
          most: id('most').children.length, hidden: id('attention').hidden,
          sizes: id('sizes').textContent, focus: document.activeElement.id,
          recalled: [...document.querySelectorAll('#turns details')].map((d) =>
              [d.open, d.querySelector('summary').textContent,
               ...[...d.querySelectorAll('li')].map((li) => li.textContent)]),
          wide: document.documentElement.scrollWidth > innerWidth,
        };
      })()
      """;

  @TempDir Path folder;

  @Test
  void aChatShowsWhatIsRemembered() throws Exception {
    Path browser = browser();
    try (Served served = new Served(folder.resolve("sessions"), LIBRARY)) {
      Process process = start(browser, "http://127.0.0.1:" + served.server.port() + "/");
      try (Chromium chromium = new Chromium(served.client, port(process))) {
        JsonNode page = chromium.evaluate(CHAT);
        assertThat(page.path("model").asString("")).as(page.toString()).isEqualTo("tiny");
        assertThat(page.get("read").intValue()).isPositive();
        assertThat(page.get("turns").get(0).stringValue()).isEqualTo("user:Hello");
        assertThat(page.get("turns").get(1).stringValue())
            .startsWith("assistant:")
            .hasSizeGreaterThan(11);
        assertThat(page.get("remembered").intValue()).isGreaterThan(480);
        assertThat(page.get("sizes").stringValue()).contains("Transformer");
        assertThat(page.get("hidden").booleanValue()).isFalse();
        assertThat(page.get("most").intValue()).isPositive();
        for (JsonNode row : page.get("shares")) {
          assertThat(row.stringValue()).matches("\\d+([\\d.]+ %){3,4}");
        }
        assertThat(page.get("shares").size()).isPositive();
        JsonNode recalled = page.get("recalled");
        assertThat(recalled).as(recalled.toString()).hasSize(1);
        assertThat(recalled.get(0).get(0).booleanValue()).as("opened by the reader").isFalse();
        assertThat(recalled.get(0).get(1).stringValue()).matches("Recalled \\d+ stored tokens?");
        assertThat(recalled.get(0).toString())
            .containsPattern("\"text, characters \\d.*?: \\d+\u00d7\"");
        assertThat(page.get("focus").stringValue()).isEqualTo("text");
        assertThat(page.get("wide").booleanValue()).as("scrolls sideways on a phone").isFalse();
      } finally {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
      }
    }
  }

  private static Path browser() {
    Path found = PLACES.stream().map(Path::of).filter(Files::isExecutable).findFirst().orElse(null);
    boolean required = "true".equals(System.getenv("CI"));
    Assumptions.assumeTrue(found != null || required, "SKIPPED: no chromium here");
    return Objects.requireNonNull(found, "no chromium: apt-get install chromium");
  }

  /** As narrow as a phone. */
  private Process start(Path browser, String url) throws IOException {
    return new ProcessBuilder(
            browser.toString(),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            "--window-size=500,800",
            "--user-data-dir=" + folder.resolve("profile"),
            url)
        .redirectErrorStream(true)
        .start();
  }

  private static int port(Process process) throws IOException {
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      Matcher port = Pattern.compile("DevTools listening on ws://[^:]+:(\\d+)/").matcher(line);
      if (port.find()) return Integer.parseInt(port.group(1));
    }
    throw new IOException("chromium ended before it listened");
  }

  /** The page's debugging socket. */
  private static final class Chromium implements WebSocket.Listener, AutoCloseable {
    private final BlockingQueue<JsonNode> answers = new LinkedBlockingQueue<>();
    private final StringBuilder text = new StringBuilder();
    private final WebSocket socket;

    Chromium(HttpClient client, int port) throws Exception {
      JsonNode page = page(client, port);
      URI uri = URI.create(page.get("webSocketDebuggerUrl").stringValue());
      socket = client.newWebSocketBuilder().buildAsync(uri, this).get();
    }

    /** The tab, once it has left the empty page that browsers begin with. */
    private static JsonNode page(HttpClient client, int port) throws Exception {
      HttpRequest list =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json/list")).build();
      while (true) {
        JsonNode tabs = Served.JSON.readTree(client.send(list, BodyHandlers.ofString()).body());
        for (JsonNode tab : tabs) {
          if (tab.path("url").asString("").startsWith("http://127.0.0.1:")) return tab;
        }
        Thread.sleep(50);
      }
    }

    JsonNode evaluate(String script) throws Exception {
      Map<String, Object> params =
          Map.of("expression", script, "awaitPromise", true, "returnByValue", true);
      String command =
          Served.JSON.writeValueAsString(
              Map.of("id", 1, "method", "Runtime.evaluate", "params", params));
      // The tab bears its address before it has moved there, and what runs when it moves is lost.
      JsonNode answer = ask(command);
      for (int i = 0; i < 20 && answer.has("error"); i++) {
        Thread.sleep(200);
        answer = ask(command);
      }
      JsonNode value = answer.at("/result/result/value");
      assertThat(value.isObject()).as(answer.toString()).isTrue();
      return value;
    }

    private JsonNode ask(String command) throws Exception {
      socket.sendText(command, true).get();
      return Objects.requireNonNull(answers.poll(90, TimeUnit.SECONDS), "no answer");
    }

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        JsonNode message = Served.JSON.readTree(text.toString());
        text.setLength(0);
        if (message.path("id").asInt(0) == 1) answers.add(message);
      }
      from.request(1);
      return null;
    }

    @Override
    public void close() {
      socket.abort();
    }
  }
}
