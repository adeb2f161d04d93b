package org.bmojo.server;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import org.bmojo.serve.EngineStatus;
import org.bmojo.serve.Generation.Times;
import org.bmojo.serve.Library;
import org.bmojo.store.AsyncWriter.Report;
import org.jspecify.annotations.Nullable;

/** What {@code /metrics} tells, in Prometheus's text format. */
final class ServerMetrics {
  private final Map<String, LongAdder> requests = new ConcurrentSkipListMap<>();
  private final Histogram duration =
      new Histogram(
          "bmojo_request_seconds",
          "Time to answer a request whole.",
          0.001,
          0.005,
          0.02,
          0.1,
          0.5,
          2,
          10,
          60,
          300);
  private final Histogram first =
      new Histogram(
          "bmojo_time_to_first_token_seconds",
          "From a request to its first token.",
          0.005,
          0.01,
          0.02,
          0.05,
          0.1,
          0.2,
          0.5,
          1,
          2,
          5,
          15,
          60);
  private final Histogram waited =
      new Histogram(
          "bmojo_queue_seconds",
          "From a request to its slot.",
          0.001,
          0.005,
          0.02,
          0.1,
          0.5,
          2,
          10,
          60);
  private final Histogram speed =
      new Histogram(
          "bmojo_answer_tokens_per_second",
          "How fast one answer grew after its first token.",
          1,
          2,
          5,
          10,
          20,
          50,
          100,
          200,
          500,
          1000);

  private final Connections connections;

  ServerMetrics(Connections connections) {
    this.connections = connections;
  }

  /**
   * A request has been answered.
   *
   * @param route the path's pattern, so that there are few
   */
  void answered(String method, String route, int status, double seconds) {
    String labels = "method=\"%s\",route=\"%s\",status=\"%d\"".formatted(method, route, status);
    requests.computeIfAbsent(labels, _ -> new LongAdder()).increment();
    duration.add(seconds);
  }

  void generated(Times times) {
    waited.add(times.waited() / 1e9);
    if (times.first() > 0) first.add(times.first() / 1e9);
    double seconds = (times.total() - times.first()) / 1e9;
    if (times.tokens() > 1 && seconds > 0) speed.add((times.tokens() - 1) / seconds);
  }

  /**
   * @param library that the model recalls from; null for none
   */
  String text(EngineStatus engine, int slots, @Nullable Library library) {
    StringBuilder out = new StringBuilder();
    header(out, "bmojo_requests_total", "counter", "Requests answered.");
    requests.forEach((labels, count) ->
        out.append("bmojo_requests_total{%s} %d\n".formatted(labels, count.sum())));
    duration.write(out);
    first.write(out);
    waited.write(out);
    speed.write(out);
    one(out, "bmojo_tokens_total", "counter", "Tokens chosen.", engine.tokens());
    one(out, "bmojo_prompt_tokens_total", "counter", "Prompt tokens read.", engine.promptTokens());
    one(out, "bmojo_steps_total", "counter", "Steps of the batch.", engine.steps());
    double busy = engine.busyNanos() / 1e9;
    one(out, "bmojo_busy_seconds_total", "counter", "Time spent reading and stepping.", busy);
    one(
        out,
        "bmojo_tokens_per_second",
        "gauge",
        "Tokens chosen for each busy second so far.",
        busy > 0 ? engine.tokens() / busy : 0);
    header(out, "bmojo_answers_total", "counter", "Answers, by how they ended.");
    engine
        .ended()
        .forEach((reason, count) ->
            out.append(
                "bmojo_answers_total{reason=\"%s\"} %d\n"
                    .formatted(reason.name().toLowerCase(Locale.ROOT), count)));
    one(
        out,
        "bmojo_refused_total",
        "counter",
        "Requests that found the queue full.",
        engine.refused());
    one(out, "bmojo_slots", "gauge", "Sequences that fit.", slots);
    one(out, "bmojo_waiting", "gauge", "Sequences in the queue.", engine.waiting());
    one(out, "bmojo_reading", "gauge", "Sequences whose prompt is read.", engine.reading());
    one(out, "bmojo_answering", "gauge", "Sequences in the batch.", engine.answering());
    one(out, "bmojo_state_bytes", "gauge", "Native memory of the batch.", engine.stateBytes());
    var memory = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    one(out, "bmojo_heap_bytes", "gauge", "Java heap in use.", memory.getUsed());
    one(out, "bmojo_connections", "gauge", "Connections that are open.", connections.open());
    one(
        out,
        "bmojo_connections_turned_out_total",
        "counter",
        "Silent connections that had to make room for others.",
        connections.turnedOut());
    if (library != null) stored(out, library);
    return out.toString();
  }

  private static void stored(StringBuilder out, Library library) {
    Report report = library.report();
    one(
        out,
        "bmojo_store_committed_total",
        "counter",
        "Entries written to the store.",
        report.committed());
    one(
        out,
        "bmojo_store_dropped_total",
        "counter",
        "Entries dropped: the queue was full, or the store refused.",
        report.dropped());
    one(out, "bmojo_store_waiting", "gauge", "Entries waiting to be written.", report.waiting());
    one(
        out,
        "bmojo_store_failed",
        "gauge",
        "1 if the store takes nothing more.",
        report.failure() == null ? 0 : 1);
    one(out, "bmojo_store_entries", "gauge", "Entries in the store.", library.size());
  }

  private static void header(StringBuilder out, String name, String type, String help) {
    out.append("# HELP %s %s\n# TYPE %s %s\n".formatted(name, help, name, type));
  }

  private static void one(StringBuilder out, String name, String type, String help, double value) {
    header(out, name, type, help);
    boolean whole = value == Math.rint(value);
    out.append(name).append(' ').append(whole ? Long.toString((long) value) : value).append('\n');
  }
}
