package org.bmojo.sweep;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.bmojo.report.Chart;
import org.bmojo.report.Chart.Line;
import org.bmojo.report.Page;
import org.bmojo.sweep.Results.Row;
import tools.jackson.databind.JsonNode;

/** The standard plots of a sweep, group of tasks by group of tasks. */
public final class SweepPage {
  private static final int MOST_LINES = 12; // Six colours, solid and dashed.

  private final List<Row> rows;

  private SweepPage(List<Row> rows) {
    this.rows = rows;
  }

  /** Everything that the outcomes say. */
  public static Page of(String title, List<Outcome> outcomes) {
    Page page = new Page(title);
    List<Row> all = Results.grouped(Results.rows(outcomes));
    Set<String> groups = new LinkedHashSet<>();
    for (Row r : all) groups.add(r.label().task());
    for (String group : groups) {
      List<Row> rows = all.stream().filter(r -> r.label().task().equals(group)).toList();
      page.section(group);
      new SweepPage(rows).describe(page);
    }
    long failures = outcomes.stream().filter(o -> o.failure() != null).count();
    page.section("Runs")
        .text(
            "%d trials, %d of them diverged (they count as recall 0). Of every model the learning"
                    .formatted(outcomes.size(), failures)
                + " rate with the best mean recall over its seeds is shown; the range is that of"
                + " its seeds. State bytes: everything kept per sequence after the longest test,"
                + " float32.");
    return page;
  }

  private void describe(Page page) {
    page.table(table(rows));
    chart(page, byBytes(), "state bytes", "Recall against state bytes, of baselines and grids.");
    chart(page, byDistance(), "distance, windows", "Recall by how many windows back it stood.");
    chart(page, byLength(), "tokens", "Recall by the length of the test.");
    for (String key : gridKeys()) {
      chart(page, byGrid(key), key, "Recall against " + key + ", all else equal; 0 stands at ½.");
    }
    variants(page);
    tests(page);
  }

  /** The rows in words, the first one the header. */
  public static List<List<String>> table(List<Row> rows) {
    List<List<String>> table = new ArrayList<>();
    table.add(
        List.of("task", "model", "steps", "parameters", "state bytes", "rate", "seeds", "recall"));
    for (Row r : rows) {
      String range =
          r.seeds() > 1 ? String.format(Locale.ROOT, " (%.3f–%.3f)", r.low(), r.high()) : "";
      table.add(
          List.of(
              r.label().task(),
              r.label().model(),
              String.format(Locale.ROOT, "%,d", r.steps()),
              String.format(Locale.ROOT, "%,d", r.parameters()),
              String.format(Locale.ROOT, "%,d", r.stateBytes()),
              String.format(Locale.ROOT, "%.2g", r.learningRate()),
              String.valueOf(r.seeds()),
              String.format(Locale.ROOT, "%.3f", r.recall()) + range));
    }
    return table;
  }

  private static void chart(Page page, List<Line> lines, String xLabel, String caption) {
    for (int from = 0; from < lines.size(); from += MOST_LINES) {
      List<Line> some = lines.subList(from, Math.min(lines.size(), from + MOST_LINES));
      page.chart(Chart.points(xLabel, "recall", 1, some), caption);
    }
  }

  private List<Line> byBytes() {
    List<Line> lines = new ArrayList<>();
    for (String baseline : baselines()) {
      List<Row> points =
          rows.stream()
              .filter(r -> r.label().baseline().equals(baseline) && plain(r))
              .sorted(Comparator.comparingLong(Row::stateBytes))
              .toList();
      List<Double> bytes = points.stream().map(r -> (double) r.stateBytes()).toList();
      if (points.isEmpty()) continue;
      lines.add(new Line(baseline, bytes, points.stream().map(Row::recall).toList()));
    }
    return lines;
  }

  private List<Line> byDistance() {
    return lines(r -> {
      Map<Double, Double> points = new TreeMap<>();
      r.byWindows().forEach((bounds, accuracy) -> points.put(middle(bounds), accuracy));
      return points;
    });
  }

  /** Where an octave such as {@code 2-4} stands on a logarithmic axis. */
  private static double middle(String bounds) {
    if (bounds.startsWith("<")) return 0.5;
    String[] ends = bounds.split("-", -1);
    return Math.sqrt(Double.parseDouble(ends[0]) * Double.parseDouble(ends[1]));
  }

  private List<Line> byLength() {
    return lines(r -> {
      Map<Double, Double> points = new TreeMap<>();
      r.byLength().forEach((length, recall) -> points.put((double) length, recall));
      return points;
    });
  }

  /** A line for every model outside of grids that has more than one point. */
  private List<Line> lines(Function<Row, Map<Double, Double>> points) {
    List<Line> lines = new ArrayList<>();
    for (Row r : rows) {
      if (!r.label().grid().isEmpty()) continue;
      Map<Double, Double> p = points.apply(r);
      if (p.size() < 2) continue;
      lines.add(new Line(r.label().model(), List.copyOf(p.keySet()), List.copyOf(p.values())));
    }
    return lines;
  }

  // ---- Grids ----------------------------------------------------------------------------------

  private Set<String> gridKeys() {
    Set<String> keys = new LinkedHashSet<>();
    for (Row r : rows) {
      r.label()
          .grid()
          .forEach((key, value) -> {
            if (value.isNumber()) keys.add(key);
          });
    }
    return keys;
  }

  /** Models that differ in one key alone, a line for each way of setting the others. */
  private List<Line> byGrid(String key) {
    Map<String, TreeMap<Double, Double>> lines = new LinkedHashMap<>();
    for (Row r : rows) {
      if (!plain(r)) continue;
      Map<String, JsonNode> others = new LinkedHashMap<>(r.label().grid());
      JsonNode value = others.remove(key);
      if (value == null) value = SweepJson.tree(r.outcomes().getFirst().model()).path(key);
      if (!value.isNumber()) continue;
      String name = new SweepTrial.Label("", r.label().baseline(), "", others).model();
      // None has no place on a logarithmic axis: ½ stands for it.
      double x = value.asDouble() == 0 ? 0.5 : value.asDouble();
      lines.computeIfAbsent(name, _ -> new TreeMap<>()).put(x, r.recall());
    }
    List<Line> drawn = new ArrayList<>();
    lines.forEach((name, points) -> {
      if (points.size() < 2) return;
      drawn.add(new Line(name, List.copyOf(points.keySet()), List.copyOf(points.values())));
    });
    return drawn;
  }

  // ---- Variants and tests ---------------------------------------------------------------------

  private void variants(Page page) {
    for (String baseline : baselines()) {
      Map<String, Double> bars = new LinkedHashMap<>();
      for (Row r : rows) {
        boolean own = r.label().baseline().equals(baseline) && r.label().grid().isEmpty();
        String variant = r.label().variant();
        if (own) bars.put(variant.isEmpty() ? "unchanged" : variant, r.recall());
      }
      if (bars.size() < 2) continue;
      page.chart(Chart.bars("recall", 1, bars), "Variants of " + baseline + ".");
    }
  }

  private void tests(Page page) {
    Set<String> tests = new LinkedHashSet<>();
    for (Row r : rows) tests.addAll(r.byTest().keySet());
    if (tests.size() < 2 || tests.size() > 48) return;
    List<List<String>> table = new ArrayList<>();
    List<String> header = new ArrayList<>(List.of("model"));
    header.addAll(tests);
    table.add(header);
    for (Row r : rows) {
      Map<String, Double> recalls = r.byTest();
      List<String> line = new ArrayList<>(List.of(r.label().model()));
      for (String test : tests) {
        Double recall = recalls.get(test);
        line.add(recall == null ? "" : String.format(Locale.ROOT, "%.3f", recall));
      }
      table.add(line);
    }
    page.text("Recall of every test, by tokens/pairs (@ depth).").table(table);
  }

  private Set<String> baselines() {
    Set<String> names = new LinkedHashSet<>();
    for (Row r : rows) names.add(r.label().baseline());
    return names;
  }

  private static boolean plain(Row r) {
    return r.label().variant().isEmpty();
  }
}
