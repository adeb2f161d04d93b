package org.bmojo.sweep;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import org.bmojo.eval.RecallTrial.Test;
import org.bmojo.tasks.RecallScore.Slice;

/** What the outcomes of trials say of each model: its best learning rate, over all seeds. */
public final class Results {
  /**
   * A model on a task, or on a group of tasks.
   *
   * @param label with the task's or the group's name
   * @param steps of training
   * @param learningRate the best (with the best decay), by mean recall over seeds; of a group its
   *     tasks' smallest
   * @param seeds how many there are of it
   * @param recall mean over seeds
   * @param low lowest of the seeds
   * @param high highest of the seeds
   * @param outcomes one for each seed (and task)
   */
  public record Row(
      SweepTrial.Label label,
      long steps,
      long parameters,
      long stateBytes,
      double learningRate,
      int seeds,
      double recall,
      double low,
      double high,
      List<Outcome> outcomes) {
    /** Accuracy by distance in windows, over everything. */
    Map<String, Double> byWindows() {
      Map<String, Slice> sums = new LinkedHashMap<>();
      for (Outcome o : outcomes) {
        for (Test t : o.tests()) {
          t.windows()
              .forEach((name, s) ->
                  sums.merge(
                      name,
                      s,
                      (a, b) -> new Slice(a.correct() + b.correct(), a.labels() + b.labels())));
        }
      }
      Map<String, Double> accuracies = new LinkedHashMap<>();
      sums.forEach((name, s) -> accuracies.put(name, s.accuracy()));
      return accuracies;
    }

    /** Recall by the tests' length. */
    TreeMap<Integer, Double> byLength() {
      Map<Integer, List<Double>> all = new TreeMap<>();
      for (Outcome o : outcomes) {
        for (Test t : o.tests()) {
          all.computeIfAbsent(t.length(), _ -> new ArrayList<>()).add(t.recall());
        }
      }
      TreeMap<Integer, Double> means = new TreeMap<>();
      all.forEach((length, recalls) -> means.put(length, mean(recalls, r -> r)));
      return means;
    }

    /** Recall of each test, by what it asked. */
    Map<String, Double> byTest() {
      Map<String, List<Double>> all = new LinkedHashMap<>();
      for (Outcome o : outcomes) {
        for (Test t : o.tests()) {
          all.computeIfAbsent(words(t), _ -> new ArrayList<>()).add(t.recall());
        }
      }
      Map<String, Double> means = new LinkedHashMap<>();
      all.forEach((test, recalls) -> means.put(test, mean(recalls, r -> r)));
      return means;
    }

    private static String words(Test t) {
      String words = String.valueOf(t.length());
      if (t.pairs().size() == 1) words += "/" + t.pairs().keySet().iterator().next();
      return t.depth() == null ? words : words + "@" + t.depth();
    }
  }

  private Results() {}

  /** A row for each model on each task, in the order in which they first came. */
  public static List<Row> rows(List<Outcome> outcomes) {
    Map<List<Object>, List<Outcome>> models = new LinkedHashMap<>();
    for (Outcome o : outcomes) {
      List<Object> model =
          List.of(o.label().task(), o.label().model(), o.schedule().steps(), o.batch());
      models.computeIfAbsent(model, _ -> new ArrayList<>()).add(o);
    }
    return models.values().stream().map(Results::best).toList();
  }

  /**
   * The same with tasks that differ only behind a slash, such as {@code recall/length=256}, as one:
   * the mean over them counts, of each task's longest training. A model stays out of a group of
   * which it has not run every task.
   */
  public static List<Row> grouped(List<Row> rows) {
    Map<String, Set<String>> tasks = new LinkedHashMap<>();
    for (Row r : rows) {
      tasks.computeIfAbsent(group(r), _ -> new HashSet<>()).add(r.label.task());
    }
    // Group → model → task → row; a group of one task keeps all of its rows.
    Map<String, Map<String, Map<String, Row>>> models = new LinkedHashMap<>();
    for (Row r : rows) {
      boolean alone = tasks.getOrDefault(group(r), Set.of()).size() == 1;
      String model = alone ? r.label.model() + r.steps : r.label.model();
      models
          .computeIfAbsent(group(r), _ -> new LinkedHashMap<>())
          .computeIfAbsent(model, _ -> new LinkedHashMap<>())
          .merge(r.label.task(), r, (a, b) -> a.steps >= b.steps ? a : b);
    }
    List<Row> grouped = new ArrayList<>();
    models.forEach((group, byModel) -> {
      int all = tasks.getOrDefault(group, Set.of()).size();
      for (Map<String, Row> byTask : byModel.values()) {
        if (byTask.size() < all) continue;
        List<Row> whole = List.copyOf(byTask.values());
        grouped.add(all == 1 ? whole.getFirst() : merged(group, whole));
      }
    });
    return grouped;
  }

  private static Row best(List<Outcome> model) {
    Map<List<Double>, List<Outcome>> settings = new LinkedHashMap<>();
    for (Outcome o : model) {
      List<Double> setting = List.of(o.learningRate(), o.optimizer().decay());
      settings.computeIfAbsent(setting, _ -> new ArrayList<>()).add(o);
    }
    List<Outcome> best =
        settings.values().stream()
            .max(Comparator.comparingDouble(os -> mean(os, Outcome::recall)))
            .orElseThrow();
    Outcome first = best.getFirst();
    return new Row(
        first.label(),
        first.schedule().steps(),
        first.parameters(),
        first.stateBytes(),
        first.learningRate(),
        best.size(),
        mean(best, Outcome::recall),
        best.stream().mapToDouble(Outcome::recall).min().orElse(0),
        best.stream().mapToDouble(Outcome::recall).max().orElse(0),
        best);
  }

  private static Row merged(String group, List<Row> model) {
    Row first = model.getFirst();
    SweepTrial.Label l = first.label;
    return new Row(
        new SweepTrial.Label(group, l.baseline(), l.variant(), l.grid()),
        first.steps,
        first.parameters,
        model.stream().mapToLong(Row::stateBytes).max().orElse(0),
        model.stream().mapToDouble(Row::learningRate).min().orElse(0),
        model.stream().mapToInt(Row::seeds).min().orElse(0),
        mean(model, Row::recall),
        mean(model, Row::low),
        mean(model, Row::high),
        model.stream().flatMap(r -> r.outcomes.stream()).toList());
  }

  private static String group(Row row) {
    String task = row.label.task();
    int slash = task.indexOf('/');
    return slash < 0 ? task : task.substring(0, slash);
  }

  private static <T> double mean(List<T> all, ToDoubleFunction<T> value) {
    return all.stream().mapToDouble(value).average().orElse(0);
  }
}
