package org.bmojo.sweep;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.eval.RecallModel;
import org.bmojo.eval.RecallTrial;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.TaskChoice;
import tools.jackson.databind.JsonNode;

/**
 * One trial of a sweep.
 *
 * @param label where it stands in the sweep
 * @param task as it was chosen
 * @param model with every size written out
 * @param trial all that decides the result
 */
public record SweepTrial(Label label, TaskChoice task, RecallModel model, RecallTrial trial) {
  /**
   * A trial's place among others; learning rate and seed apart.
   *
   * @param task its name in the sweep
   * @param baseline its model's name
   * @param variant the change's name, or empty
   * @param grid the values that a grid gave
   */
  public record Label(String task, String baseline, String variant, Map<String, JsonNode> grid) {
    /** The model's name, change included. */
    public String model() {
      String values =
          grid.entrySet().stream()
              .map(e -> e.getKey() + "=" + Sweep.words(e.getValue()))
              .collect(Collectors.joining(", "));
      String change = variant + values;
      return change.isEmpty() ? baseline : baseline + ", " + change;
    }

    @Override
    public String toString() {
      return task + ": " + model();
    }
  }

  /**
   * The same for trials that must come to the same result, whatever they are called: a hash of the
   * examples' generators, the model, the training and the seed.
   */
  public String key() {
    List<Object> all = new ArrayList<>();
    for (Segment s : trial.suite().train()) all.add(words(s));
    for (Segment s : trial.suite().test()) all.add(words(s));
    all.add(ModelJson.write(trial.model()));
    all.add(trial.schedule());
    all.add(trial.settings());
    all.add(List.of(trial.batch(), trial.window(), trial.seed()));
    if (trial.room() != null) all.add(trial.room());
    return hash(SweepJson.line(all));
  }

  private static String words(Segment s) {
    return "%s v%d %s %s %d %d"
        .formatted(
            s.task().name(),
            s.task().version(),
            s.task().config(),
            s.split(),
            s.seed(),
            s.examples());
  }

  private static String hash(String words) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(words.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
