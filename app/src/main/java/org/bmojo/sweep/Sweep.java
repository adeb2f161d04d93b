package org.bmojo.sweep;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallModel;
import org.bmojo.eval.RecallTrial;
import org.bmojo.sweep.SweepFile.Baseline;
import org.bmojo.sweep.SweepFile.Change;
import org.bmojo.sweep.SweepFile.TaskEntry;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.tasks.TaskChoice;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * All trials of a sweep, in the order of the file: tasks, baselines with their changes, learning
 * rates, seeds.
 *
 * @param name of the sweep
 * @param trials no two with the same key
 */
public record Sweep(String name, List<SweepTrial> trials) {
  /**
   * What may differ from the file.
   *
   * @param steps of every trial; null for the file's
   * @param batch examples of an update; null for the file's
   * @param seeds null for the file's
   */
  public record Overrides(
      @Nullable Long steps, @Nullable Integer batch, @Nullable List<Long> seeds) {
    /** The file as it is. */
    public static final Overrides NONE = new Overrides(null, null, null);
  }

  /** A task of the sweep, changed or not. */
  private record Task(String name, TaskChoice choice, @Nullable Integer batch) {}

  /** A model of the sweep: a baseline, changed or not. */
  private record Model(
      String baseline, Map<String, JsonNode> grid, String variant, JsonNode tree, Baseline entry) {}

  /**
   * The sweep in a YAML file, laid out as {@code runs/recall/README.md} says.
   *
   * @throws BadInput if a key is unknown, missing or there twice, or a trial makes no sense
   */
  public static Sweep read(Path file, Overrides overrides) {
    SweepFile plan = SweepFile.read(file);
    List<SweepTrial> trials = new ArrayList<>();
    Set<String> keys = new HashSet<>();
    List<Model> models = models(plan, file);
    for (Task task : tasks(plan, file)) {
      for (Model model : models) {
        for (SweepTrial trial : trials(plan, file, task, model, overrides)) {
          // A grid comes by its baseline again where it holds the baseline's own value.
          if (keys.add(trial.key())) trials.add(trial);
        }
      }
    }
    return new Sweep(plan.sweep(), trials);
  }

  /** Every n-th trial, from number {@code index} (of 1 … n): together they are the whole. */
  public Sweep shard(int index, int n) {
    List<SweepTrial> mine = new ArrayList<>();
    for (int i = index - 1; i < trials.size(); i += n) mine.add(trials.get(i));
    return new Sweep(name, mine);
  }

  /** The trials whose label contains {@code words}. */
  public Sweep only(String words) {
    return new Sweep(
        name, trials.stream().filter(t -> t.label().toString().contains(words)).toList());
  }

  private static List<SweepTrial> trials(
      SweepFile plan, Path file, Task task, Model model, Overrides overrides) {
    var label = new SweepTrial.Label(task.name, model.baseline, model.variant, model.grid);
    String where = file + ": " + label;
    RecallModel sizes = SweepJson.part(where, model.tree, RecallModel.class);
    SweepFile.Training training = plan.training();
    List<Double> own = model.entry.learningRates();
    List<SweepTrial> trials = new ArrayList<>();
    try {
      for (double rate : own == null ? training.learningRates() : own) {
        for (double decay : training.decayed()) {
          for (long seed : seeds(plan, model, overrides)) {
            Suite suite = shortened(task.choice.suite(seed), model.entry.longestTest());
            int batch = batch(training, task, overrides);
            var trial =
                new RecallTrial(
                    model.baseline,
                    sizes.config(vocabulary(suite)),
                    sizes.trainedEidetic(),
                    suite,
                    batch,
                    training.schedule(rate, steps(training, suite, batch, overrides)),
                    training.optimizer(decay),
                    plan.window(),
                    seed);
            trials.add(new SweepTrial(label, task.choice, sizes.resolved(), trial));
          }
        }
      }
    } catch (BadInput e) {
      throw e.in(where);
    }
    return trials;
  }

  private static List<Long> seeds(SweepFile plan, Model model, Overrides overrides) {
    if (overrides.seeds() != null) return overrides.seeds();
    List<Long> own = model.entry.seeds();
    return own == null ? plan.seeds() : own;
  }

  private static int batch(SweepFile.Training training, Task task, Overrides overrides) {
    if (overrides.batch() != null) return overrides.batch();
    return task.batch == null ? training.batch() : task.batch;
  }

  private static long steps(
      SweepFile.Training training, Suite suite, int batch, Overrides overrides) {
    if (overrides.steps() != null) return overrides.steps();
    if (training.steps() != null) return training.steps();
    if (suite.train().getFirst().examples() == Segment.ENDLESS) {
      throw new BadInput(
          "epochs of an endless task",
          "expected steps, or a number of examples",
          "Give the training steps, or the task examples");
    }
    return Objects.requireNonNull(training.epochs()) * suite.batchesPerEpoch(batch);
  }

  private static Suite shortened(Suite suite, @Nullable Integer longest) {
    if (longest == null) return suite;
    List<Segment> tests = suite.test().stream().filter(s -> s.task().length() <= longest).toList();
    if (tests.isEmpty()) {
      throw new BadInput(
          "longestTest " + longest, "expected at least one test as short", "Raise it");
    }
    return new Suite(suite.name(), suite.train(), tests);
  }

  private static int vocabulary(Suite suite) {
    return suite.test().stream().mapToInt(s -> s.task().vocabulary()).max().orElse(1);
  }

  // ---- Expansion ------------------------------------------------------------------------------

  private static List<Task> tasks(SweepFile plan, Path file) {
    List<Task> tasks = new ArrayList<>();
    plan.tasks()
        .forEach((name, entry) -> {
          tasks.add(task(name, entry, Map.of(), file));
          Map<String, List<JsonNode>> changes = entry.changes();
          if (changes == null) return;
          changes.forEach((key, values) -> {
            for (JsonNode value : values) {
              String label = name + "/" + key + "=" + words(value);
              tasks.add(task(label, entry, Map.of(key, value), file));
            }
          });
        });
    return tasks;
  }

  private static Task task(String name, TaskEntry entry, Map<String, JsonNode> changes, Path file) {
    JsonNode tree = with(entry.task(), changes);
    TaskChoice choice = SweepJson.part(file + ": task " + name, tree, TaskChoice.class);
    return new Task(name, choice, entry.batch());
  }

  private static List<Model> models(SweepFile plan, Path file) {
    List<Model> models = new ArrayList<>();
    List<Change> changes = plan.changes() == null ? List.of() : plan.changes();
    for (Change change : changes) refuseUnknown(change, plan, file);
    plan.baselines()
        .forEach((name, baseline) -> {
          models.add(new Model(name, Map.of(), "", baseline.model(), baseline));
          for (Change change : changes) {
            if (change.of() != null && !change.of().contains(name)) continue;
            for (Map<String, JsonNode> point : points(change)) {
              JsonNode tree = with(baseline.model(), point);
              models.add(new Model(name, point, "", tree, baseline));
            }
            if (change.variants() == null) continue;
            change
                .variants()
                .forEach((variant, values) -> {
                  JsonNode tree = with(baseline.model(), values);
                  models.add(new Model(name, Map.of(), variant, tree, baseline));
                });
          }
        });
    return models;
  }

  private static void refuseUnknown(Change change, SweepFile plan, Path file) {
    for (String name : change.of() == null ? List.<String>of() : change.of()) {
      if (plan.baselines().containsKey(name)) continue;
      throw new BadInput(
          file + ": changes of " + name,
          "expected one of the baselines " + String.join(", ", plan.baselines().keySet()),
          "Correct the name");
    }
  }

  /** All combinations of a grid's values; none without a grid. */
  private static List<Map<String, JsonNode>> points(Change change) {
    if (change.grid() == null || change.grid().isEmpty()) return List.of();
    List<Map<String, JsonNode>> points = List.of(Map.of());
    for (Map.Entry<String, List<JsonNode>> axis : change.grid().entrySet()) {
      List<Map<String, JsonNode>> longer = new ArrayList<>();
      for (Map<String, JsonNode> point : points) {
        for (JsonNode value : axis.getValue()) {
          Map<String, JsonNode> next = new LinkedHashMap<>(point);
          next.put(axis.getKey(), value);
          longer.add(next);
        }
      }
      points = longer;
    }
    return points;
  }

  private static JsonNode with(JsonNode tree, Map<String, JsonNode> values) {
    JsonNode copy = tree.deepCopy();
    if (copy instanceof ObjectNode object) values.forEach(object::set);
    return copy;
  }

  static String words(JsonNode value) {
    return value.isString() ? value.asString() : value.toString();
  }
}
