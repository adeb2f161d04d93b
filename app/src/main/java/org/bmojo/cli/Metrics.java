package org.bmojo.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.eval.RecallTrial;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code metrics.jsonl}: a line for each event of a training run, each step's once. */
final class Metrics implements AutoCloseable {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** What happened, by the key {@code event}. */
  sealed interface Event {
    /** The update after which it happened. */
    long step();
  }

  /**
   * @param loss mean cross-entropy per token, nats
   * @param gradientNorm before clipping
   * @param tokens read for this update
   * @param seconds it took
   * @param tokensPerSecond lately
   * @param mfu share of the device's peak, where that is known
   * @param etaSeconds until the run is done
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Step(
      String event,
      long step,
      double loss,
      double gradientNorm,
      double learningRate,
      long tokens,
      double seconds,
      @Nullable Double tokensPerSecond,
      @Nullable Double mfu,
      @Nullable Double etaSeconds)
      implements Event {}

  /** An update was left out, as the guard wanted. */
  record Skipped(String event, long step, String why) implements Event {}

  /**
   * A process took the run up.
   *
   * @param step the last one taken before
   * @param device its name
   * @param precision what matrices are multiplied in
   * @param processes that train together
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Start(
      String event,
      long step,
      String version,
      @Nullable String commit,
      String java,
      String system,
      String device,
      String precision,
      int processes,
      long parameters)
      implements Event {}

  /** Held-out documents were scored. */
  record Evaluation(String event, long step, double bitsPerByte, double perplexity, long bytes)
      implements Event {}

  /** The model wrote something. */
  record Sample(String event, long step, String text) implements Event {}

  /** A synthetic task was asked. */
  record Recall(String event, long step, RecallTrial.Test test) implements Event {}

  private final Path path;
  private final FileChannel file;

  private Metrics(Path path, FileChannel file) {
    this.path = path;
    this.file = file;
  }

  /**
   * Goes on writing after what happened up to {@code step}. What a killed process wrote of later
   * steps is dropped: they will happen again.
   */
  static Metrics after(Path path, long step) {
    try {
      List<String> kept = new ArrayList<>();
      if (Files.exists(path)) {
        for (String line : Files.readAllLines(path)) if (step(line) <= step) kept.add(line + "\n");
      }
      AtomicFile.replace(path, String.join("", kept).getBytes(UTF_8));
      return new Metrics(path, FileChannel.open(path, StandardOpenOption.APPEND));
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }

  /** The step of a line; later than all for one that a kill cut off. */
  private static long step(String line) {
    try {
      JsonNode tree = JSON.readTree(line);
      return tree.path("step").asLong(Long.MAX_VALUE);
    } catch (JacksonException cut) {
      return Long.MAX_VALUE;
    }
  }

  /** What happened so far, in order; a line that a kill cut off is left out. */
  static List<JsonNode> read(Path path) {
    if (!Files.exists(path)) return List.of();
    try {
      return Files.readAllLines(path).stream()
          .filter(line -> step(line) < Long.MAX_VALUE)
          .map(JSON::readTree)
          .toList();
    } catch (IOException e) {
      throw FileTrouble.reading(path, e);
    }
  }

  /** Appends a line. */
  void write(Event event) {
    String line = JSON.writeValueAsString(event) + "\n";
    try {
      AtomicFile.writeFully(file, ByteBuffer.wrap(line.getBytes(UTF_8)));
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }
}
