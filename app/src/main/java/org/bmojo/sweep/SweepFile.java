package org.bmojo.sweep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A sweep as it is written down: baselines × changes on every task, with every learning rate and
 * seed. A change is applied to a baseline alone, never on top of another change; those of one grid
 * are combined.
 *
 * <pre>{@code
 * sweep: example
 * window: 32                     # the unit in which distances are sliced
 * seeds: [1, 2, 3]
 * training: {batch: 64, steps: 4000, learningRates: [1e-3, 3e-3]}
 * tasks:
 *   mqar:
 *     task: {kind: mqar, length: 128, pairs: 8}
 *     changes: {length: [256, 512]}             # one at a time
 * baselines:
 *   bmojo:
 *     model: {family: bmojo, width: 64, window: 32}
 *     learningRates: [3e-3]                     # instead of training's; so are seeds
 *   mamba:
 *     model: {family: mamba, width: 64}
 * changes:
 *   - of: [bmojo]                               # all, where it is not said
 *     grid: {eidetic: [0, 16, 64], chunk: [8, 16]}
 *     variants: {no convolution: {convolution: 0}}
 * }</pre>
 *
 * @param sweep its name
 * @param window the unit of distances
 * @param tasks by name
 * @param baselines by name
 */
record SweepFile(
    String sweep,
    int window,
    List<Long> seeds,
    Training training,
    Map<String, TaskEntry> tasks,
    Map<String, Baseline> baselines,
    @Nullable List<Change> changes) {
  /**
   * How all are trained; null for the usual: cosine to 0 without warm-up, AdamW with β (0.9, 0.95),
   * gradients clipped at 1.
   *
   * @param steps updates; null where epochs are given
   * @param epochs rounds through a task's training examples; null where steps are given
   * @param learningRates tried for every model; the best counts
   * @param decays of the weights, tried with every rate; null for 0.1
   */
  record Training(
      int batch,
      @Nullable Long steps,
      @Nullable Long epochs,
      List<Double> learningRates,
      @Nullable List<Double> decays,
      Schedule.@Nullable Shape shape,
      @Nullable Long warmup,
      @Nullable Double floor,
      @Nullable Double clip,
      @Nullable Double beta2) {
    List<Double> decayed() {
      return decays == null ? List.of(Optimizer.Settings.STANDARD.decay()) : decays;
    }

    Schedule schedule(double rate, long updates) {
      return new Schedule(
          shape == null ? Schedule.Shape.COSINE : shape,
          rate,
          floor == null ? 0 : floor,
          warmup == null ? 0 : Math.min(warmup, updates),
          updates);
    }

    Optimizer.Settings optimizer(double decay) {
      Optimizer.Settings standard = Optimizer.Settings.STANDARD;
      return new Optimizer.Settings(
          standard.beta1(),
          beta2 == null ? standard.beta2() : beta2,
          standard.eps(),
          decay,
          clip == null ? standard.clip() : clip);
    }
  }

  /**
   * @param task a {@link org.bmojo.tasks.TaskChoice}
   * @param batch instead of the training's
   * @param changes of one of its keys at a time
   */
  record TaskEntry(
      JsonNode task, @Nullable Integer batch, @Nullable Map<String, List<JsonNode>> changes) {}

  /**
   * @param model an {@link org.bmojo.eval.RecallModel}
   * @param learningRates instead of the training's
   * @param seeds instead of the sweep's
   * @param longestTest leaves longer tests out, for models whose memory grows with the text
   */
  record Baseline(
      JsonNode model,
      @Nullable List<Double> learningRates,
      @Nullable List<Long> seeds,
      @Nullable Integer longestTest) {}

  /**
   * @param of names of baselines; null for all
   * @param grid values of the model's keys, each combined with each
   * @param variants named sets of the model's keys
   */
  record Change(
      @Nullable List<String> of,
      @Nullable Map<String, List<JsonNode>> grid,
      @Nullable Map<String, Map<String, JsonNode>> variants) {}

  /** Reads a YAML file; keys that are unknown, missing or there twice are refused. */
  static SweepFile read(Path file) {
    try {
      SweepFile plan = SweepJson.yaml(file, Files.readString(file), SweepFile.class);
      plan.refuseGaps(file);
      return plan;
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** Here and not in constructors, so that a key with a typing error is not called missing. */
  private void refuseGaps(Path file) {
    try {
      refuseGaps();
    } catch (BadInput e) {
      throw e.in(file.toString());
    }
  }

  private void refuseGaps() {
    there("sweep", sweep);
    there("training", training);
    atLeastOne("window", window);
    filled("seeds", seeds);
    filled("tasks", tasks == null ? null : tasks.keySet());
    filled("baselines", baselines == null ? null : baselines.keySet());
    atLeastOne("training.batch", training.batch);
    filled("training.learningRates", training.learningRates);
    if (training.decays != null) filled("training.decays", training.decays);
    if ((training.steps == null) == (training.epochs == null)) {
      throw new BadInput(
          "steps %d and epochs %d".formatted(training.steps, training.epochs),
          "expected one of the two",
          "Give the training either steps or epochs");
    }
    tasks.forEach((name, entry) -> there("tasks." + name + ".task", entry.task));
    baselines.forEach((name, entry) -> {
      there("baselines." + name + ".model", entry.model);
      if (entry.learningRates != null) filled("learningRates of " + name, entry.learningRates);
      if (entry.seeds != null) filled("seeds of " + name, entry.seeds);
    });
  }

  private static void atLeastOne(String key, int value) {
    if (value >= 1) return;
    throw new BadInput(
        key + " " + value, "expected 1 or more", "Correct " + key + ", or add it to the sweep");
  }

  private static void there(String key, @Nullable Object value) {
    if (value != null) return;
    throw new BadInput("no " + key, "expected one", "Add the key " + key + " to the sweep");
  }

  private static void filled(String key, java.util.@Nullable Collection<?> values) {
    if (values != null && !values.isEmpty()) return;
    throw new BadInput("no " + key, "expected at least one", "Add " + key + " to the sweep");
  }
}
