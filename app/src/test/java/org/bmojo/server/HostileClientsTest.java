package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.UnixOperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.serve.Generation.Reason;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients who read or write slowly, or not at all, over real sockets: others are answered
 * meanwhile, and what the bad one held is free again. A server that waited for them would fail by
 * the time limit.
 */
@Timeout(60)
class HostileClientsTest {
  private static final String ENDLESS =
      "{\"prompt\":\"a\",\"max_tokens\":90000,\"ignore_eos\":true,\"stream\":true}";
  private static final String LEFT =
      "bmojo_requests_total{method=\"POST\",route=\"/v1/completions\",status=\"499\"}";
  private static final Duration SHORT = Duration.ofMillis(400), LONG = Duration.ofSeconds(50);

  @TempDir Path folder;

  /** Every event names the model: with such a name a few of them fill the system's buffers. */
  private static final String LONG_NAME = "m".repeat(100_000);

  private static final int UNREAD = 40;

  private Served served(Duration patience) {
    return new Served(settings(patience, "tiny", 200), Served.LIMITS);
  }

  private ServerSettings settings(Duration patience, String name, int connections) {
    Duration heartbeat = Duration.ofMillis(50);
    return new ServerSettings(
        "127.0.0.1", 0, List.of(), name, folder, 8 << 20, connections, UNREAD, patience, heartbeat);
  }

  private static void assertAnswersOthers(Served served) throws Exception {
    served.ask("/v1/completions", "{'prompt': 'b', 'max_tokens': 2}");
  }

  @Test
  void whoStopsReadingAStreamLosesItsSlot() throws Exception {
    ServerSettings settings = settings(SHORT, LONG_NAME, 200);
    try (Served served = new Served(settings, Served.LIMITS);
        RawClient client = RawClient.asking(served, ENDLESS)) {
      assertThat(client.read(100)).startsWith("HTTP/1.1 200");
      assertAnswersOthers(served);
      served.awaitMetric(LEFT, count -> count == 1);
      // Long before all tokens were chosen: what waits for a reader is bounded.
      assertThat(served.engine.status().ended().get(Reason.CANCELLED)).isEqualTo(1);
      served.awaitMetric("bmojo_answering", count -> count == 0);
    }
  }

  /** It always takes something in before it would be thought to have left. */
  @Test
  void whoReadsTooSlowlyIsTold() throws Exception {
    ServerSettings settings = settings(LONG, LONG_NAME, 200);
    try (Served served = new Served(settings, Served.LIMITS);
        RawClient client = RawClient.asking(served, ENDLESS)) {
      // It is behind at last, whether the engine is quick or slow.
      while (served.engine.status().tokens() < 10 * UNREAD) {
        client.read(100);
        Thread.sleep(20);
      }
      assertAnswersOthers(served);
      assertThat(client.readUntil("reader_too_slow")).contains("Read faster, or ask for fewer");
      served.awaitMetric("bmojo_answers_total{reason=\"cancelled\"}", count -> count == 1);
    }
  }

  @Test
  void noStreamLastsForEver() throws Exception {
    Duration time = Duration.ofSeconds(1);
    // Fewer than may be unread, and more than are read drop by drop before the test's limit.
    String some = ENDLESS.replace("90000", Integer.toString(UNREAD));
    ServerSettings settings = settings(time, LONG_NAME.repeat(10), 200);
    try (Served served = new Served(settings, Served.LIMITS.withTime(time));
        RawClient client = RawClient.asking(served, some)) {
      while (served.metric(LEFT) == 0 && served.metric(LEFT.replace("499", "200")) == 0) {
        client.read(100);
        Thread.sleep(20);
      }
    }
  }

  @Test
  void whoStopsReadingAWholeAnswerIsLeft() throws Exception {
    ServerSettings settings = settings(SHORT, LONG_NAME.repeat(40), 200);
    try (Served served = new Served(settings, Served.LIMITS);
        RawClient client = RawClient.asking(served, "{\"prompt\":\"a\",\"max_tokens\":2}")) {
      assertThat(client.read(100)).startsWith("HTTP/1.1 200");
      served.awaitMetric(LEFT, count -> count == 1);
      assertThat(served.get("/health/live").statusCode()).isEqualTo(200);
    }
  }

  @Test
  void aBodyThatDribblesIsCutOff() throws Exception {
    try (Served served = served(SHORT);
        RawClient client = new RawClient(served)) {
      client.write(RawClient.head(1_000_000) + "{\"prompt\":\"");
      assertAnswersOthers(served);
      client.dribble("a");
      served.awaitMetric(LEFT, count -> count == 1);
    }
  }

  @Test
  void headersThatDribbleAreCutOff() throws Exception {
    try (Served served = served(SHORT);
        RawClient client = new RawClient(served)) {
      client.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
      assertAnswersOthers(served);
      client.dribble("a");
      served.awaitMetric("bmojo_connections", count -> count <= 1); // that which asks
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n"})
  void whoAsksForNothingIsShownOut(String beginning) throws Exception {
    try (Served served = served(SHORT);
        RawClient client = new RawClient(served)) {
      client.write(beginning);
      client.awaitEnd();
    }
  }

  /** Both ends are this process's, so that a connection takes two of its files. */
  @Test
  void thousandsWhoAskForNothingKeepNobodyOut() throws Exception {
    int count = 2000;
    if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean os) {
      long free = os.getMaxFileDescriptorCount() - os.getOpenFileDescriptorCount();
      count = (int) Math.min(count, (free - 300) / 2);
    }
    System.out.println("idle connections: " + count);
    assumeTrue(count >= 100, "the system allows too few open files");
    int most = count / 2;
    List<RawClient> idle = new ArrayList<>();
    try (Served served = new Served(settings(LONG, "tiny", most), Served.LIMITS);
        RawClient busy = RawClient.asking(served, ENDLESS.replace("90000", "40"))) {
      assertThat(busy.read(100)).startsWith("HTTP/1.1 200");
      for (int i = 0; i < count; i++) {
        RawClient client = new RawClient(served);
        idle.add(client);
        if (i % 3 == 1 && i < count - 1) client.write("GET /");
        if (i % 500 == 0) assertAnswersOthers(served);
      }
      assertAnswersOthers(served);
      assertThat(served.metric("bmojo_connections")).isLessThanOrEqualTo(most);
      assertThat(served.metric("bmojo_connections_turned_out_total"))
          .isGreaterThanOrEqualTo(count - most);
      idle.getFirst().awaitEnd(); // The first has made room …
      idle.getLast().write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"); // … the last,
      assertThat(idle.getLast().read(100)).startsWith("HTTP/1.1 200");
      assertThat(busy.readUntil("[DONE]")).contains("[DONE]"); // and who is answered, not.
    } finally {
      for (RawClient client : idle) client.close();
    }
  }
}
