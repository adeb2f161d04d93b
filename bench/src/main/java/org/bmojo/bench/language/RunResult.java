package org.bmojo.bench.language;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.eval.LmScore;
import org.bmojo.io.FileTrouble;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A folder that {@code runs/language} left of one model: what was trained, what was measured. */
record RunResult(String name, Path folder) {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Tokens over which a loss is averaged, 50 updates of the comparison: one batch says little. */
  private static final int SMOOTH = 50 * 16 * 2048;

  /** An update: tokens and seconds until then, and its loss. */
  record Update(long tokens, double seconds, double loss, double rate) {}

  /** The lines of a file; none if there is no such file. */
  List<JsonNode> lines(String file) {
    Path path = folder.resolve(file);
    if (!Files.exists(path)) return List.of();
    try {
      return Files.readAllLines(path).stream().map(JSON::readTree).toList();
    } catch (IOException e) {
      throw FileTrouble.reading(path, e);
    }
  }

  /** Those whose {@code kind} or {@code event} is {@code kind}. */
  List<JsonNode> lines(String file, String kind) {
    return lines(file).stream()
        .filter(l -> l.path("kind").asString(l.path("event").asString("")).equals(kind))
        .toList();
  }

  List<Update> updates() {
    List<Update> updates = new ArrayList<>();
    long tokens = 0;
    double seconds = 0;
    for (JsonNode step : lines("metrics.jsonl", "step")) {
      tokens += step.path("tokens").asLong();
      seconds += step.path("seconds").asDouble();
      updates.add(
          new Update(
              tokens, seconds, step.path("loss").asDouble(), step.path("learningRate").asDouble()));
    }
    return updates;
  }

  /** Mean losses of {@value #SMOOTH} tokens each. */
  List<Update> smoothed() {
    List<Update> smooth = new ArrayList<>();
    long before = 0, from = 0;
    double nats = 0;
    for (Update u : updates()) {
      nats += u.loss * (u.tokens - before);
      before = u.tokens;
      if (u.tokens - from < SMOOTH) continue;
      smooth.add(new Update(u.tokens, u.seconds, nats / (u.tokens - from), u.rate));
      from = u.tokens;
      nats = 0;
    }
    return smooth;
  }

  /** The loss at last, and after how many tokens and seconds. */
  @Nullable Update last() {
    List<Update> smooth = smoothed();
    return smooth.isEmpty() ? null : smooth.getLast();
  }

  /** The highest rate of its schedule. */
  double peakRate() {
    return updates().stream().mapToDouble(Update::rate).max().orElse(0);
  }

  /** Seconds until the smoothed loss is at most {@code loss}; null if it never is. */
  @Nullable Double secondsTo(double loss) {
    return smoothed().stream()
        .filter(u -> u.loss <= loss)
        .map(Update::seconds)
        .findFirst()
        .orElse(null);
  }

  /** A category's score, such as its bits per byte; null where it was not measured. */
  @Nullable Double score(String file, String windows, String category, String key) {
    for (JsonNode l : lines(file, "score")) {
      boolean that =
          l.path("windows").asString().equals(windows)
              && l.path("category").asString().equals(category);
      if (that && l.has(key)) return l.path(key).asDouble();
    }
    return null;
  }

  /** The texts' losses by position, as the stream was read. */
  List<LmScore> texts(String file) {
    List<LmScore> texts = new ArrayList<>();
    for (JsonNode l : lines(file, "text")) {
      if (!l.path("windows").asString().startsWith("stream")) continue;
      List<LmScore.Bin> bins = new ArrayList<>();
      for (JsonNode b : l.path("bins")) {
        bins.add(
            new LmScore.Bin(
                b.get(0).asInt(), b.get(1).asInt(), b.get(2).asLong(), b.get(3).asDouble()));
      }
      texts.add(
          new LmScore(
              l.path("name").asString(),
              l.path("category").asString(),
              l.path("length").asInt(),
              l.has("bytes") ? l.path("bytes").asLong() : null,
              l.path("tokens").asLong(),
              l.path("nats").asDouble(),
              bins));
    }
    return texts;
  }
}
