package org.bmojo.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.error.BadInput;
import org.bmojo.report.Chart;
import org.bmojo.report.Page;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** A training run as a page: its curves, what was trained, and where. */
final class RunPage {
  private static final JsonMapper PRETTY =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final List<JsonNode> events;
  private final Page page;

  private RunPage(String title, List<JsonNode> events) {
    this.events = events;
    this.page = new Page(title);
  }

  /**
   * What a run came to.
   *
   * @param steps taken
   * @param loss mean of the last tenth of the updates
   * @param bitsPerByte of held-out documents at last, if they were scored
   * @param tokens read
   * @param seconds that the updates took
   * @param skipped updates left out
   */
  record Summary(
      long steps,
      double loss,
      @Nullable Double bitsPerByte,
      long tokens,
      double seconds,
      long skipped,
      String page) {}

  /** Whether a folder is a run's. */
  static boolean isRun(RunFolder folder) {
    return Metrics.read(folder.metrics()).stream().anyMatch(e -> is(e, "step"));
  }

  /** Writes the page. */
  static Summary write(RunFolder folder, Path file) {
    List<JsonNode> events = Metrics.read(folder.metrics());
    RunPage run =
        new RunPage("Training run " + folder.path().toAbsolutePath().getFileName(), events);
    Summary summary = run.summary(file.toString());
    run.summarise(summary);
    run.curves();
    if (Checkpoint.exists(folder.path())) run.configuration(folder);
    run.environment();
    run.page.write(file);
    return summary;
  }

  private Summary summary(String file) {
    List<JsonNode> steps = of("step");
    if (steps.isEmpty()) {
      throw new BadInput("metrics.jsonl has no updates", "expected some", "Train first");
    }
    List<Double> losses = values(steps, "loss");
    List<Double> bits = values(of("evaluation"), "bitsPerByte");
    int tail = Math.max(1, losses.size() / 10);
    return new Summary(
        steps.getLast().path("step").asLong(),
        losses.subList(losses.size() - tail, losses.size()).stream()
            .mapToDouble(l -> l)
            .average()
            .orElse(0),
        bits.isEmpty() ? null : bits.getLast(),
        steps.stream().mapToLong(s -> s.path("tokens").asLong()).sum(),
        steps.stream().mapToDouble(s -> s.path("seconds").asDouble()).sum(),
        of("skipped").size(),
        file);
  }

  private void summarise(Summary s) {
    page.text(words(s));
    List<JsonNode> skipped = of("skipped");
    if (skipped.isEmpty()) return;
    List<List<String>> rows = new ArrayList<>(List.of(List.of("step left out", "why")));
    for (JsonNode e : skipped)
      rows.add(List.of(e.path("step").asString(), e.path("why").asString()));
    page.table(rows);
  }

  /** One sentence. */
  static String words(Summary s) {
    return String.format(
        Locale.ROOT,
        "%,d updates, %,d tokens in %s; loss %.4f over the last tenth%s%s.",
        s.steps,
        s.tokens,
        Pace.clock(s.seconds),
        s.loss,
        s.bitsPerByte == null
            ? ""
            : String.format(Locale.ROOT, "; held out %.4f bits per byte", s.bitsPerByte),
        s.skipped == 0 ? "" : "; " + s.skipped + " updates left out");
  }

  private void curves() {
    List<JsonNode> steps = of("step");
    curve("Loss", "nats per token", steps, "loss");
    curve("Held out", "bits per byte", of("evaluation"), "bitsPerByte");
    curve("Learning rate", "rate", steps, "learningRate");
    curve("Gradient norm, before clipping", "norm", steps, "gradientNorm");
    curve("Speed", "tokens per second", steps, "tokensPerSecond");
    curve("Share of the device's peak", "MFU", steps, "mfu");
  }

  private void curve(String heading, String unit, List<JsonNode> from, String key) {
    List<JsonNode> points = from.stream().filter(e -> e.has(key)).toList();
    if (points.isEmpty()) return;
    List<Double> y = values(points, key);
    var line = new Chart.Line(heading, values(points, "step"), y);
    page.section(heading)
        .chart(
            Chart.lines("step", unit, List.of(line)),
            String.format(
                Locale.ROOT, "%s: %.5g at first, %.5g at last", unit, y.getFirst(), y.getLast()));
  }

  private void configuration(RunFolder folder) {
    try (Checkpoint checkpoint = Checkpoint.open(folder.path())) {
      TrainingState state = checkpoint.training();
      if (state != null) {
        page.section("Settings").code(PRETTY.writeValueAsString(state.settings()));
      }
      page.section("Model").code(PRETTY.writeValueAsString(checkpoint.model().config()));
    }
  }

  private void environment() {
    List<JsonNode> starts = of("start");
    if (starts.isEmpty()) return;
    List<String> keys =
        List.of("step", "version", "commit", "java", "system", "device", "precision", "parameters");
    List<List<String>> rows = new ArrayList<>(List.of(keys));
    for (JsonNode e : starts) {
      rows.add(keys.stream().map(key -> e.path(key).asString("unknown")).toList());
    }
    page.section("Environment").text("Each process that took the run up, and after which step.");
    page.table(rows);
  }

  private List<JsonNode> of(String event) {
    return events.stream().filter(e -> is(e, event)).toList();
  }

  private static boolean is(JsonNode e, String event) {
    return e.path("event").asString("").equals(event);
  }

  private static List<Double> values(List<JsonNode> events, String key) {
    return events.stream().map(e -> e.path(key).asDouble()).toList();
  }
}
