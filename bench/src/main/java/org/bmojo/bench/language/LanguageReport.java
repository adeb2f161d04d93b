package org.bmojo.bench.language;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.eval.LmScore;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.bmojo.report.Chart;
import org.bmojo.text.TokenCount;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Fills docs/results/language.md with what {@code runs/language} found. */
public final class LanguageReport {
  /** In the order of tables and colours. */
  private static final List<String> FAMILIES =
      List.of("bmojo", "mamba", "transformer", "hybrid", "bmojo-f", "sliding");

  /** Any of them makes a folder a run. */
  private static final List<String> FILES = List.of("metrics.jsonl", "needle.jsonl");

  private static final int K = 1 << 10;
  private static final int[][] RANGES = {
    {0, K}, {K, 2 * K}, {2 * K, 8 * K}, {8 * K, 32 * K}, {32 * K, 128 * K}, {128 * K, K * K}
  };

  private final Map<String, RunResult> runs = new TreeMap<>();
  private final Path pictures;
  private final Marked page;

  private LanguageReport(Path results, Path file) {
    page = new Marked(file);
    pictures = file.resolveSibling("language");
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(results, Files::isDirectory)) {
      for (Path folder : folders) {
        String name = folder.getFileName().toString();
        runs.put(name, new RunResult(name, folder));
      }
      Files.createDirectories(pictures);
    } catch (IOException e) {
      throw FileTrouble.reading(results, e);
    }
    runs.values().removeIf(r -> FILES.stream().allMatch(f -> r.lines(f).isEmpty()));
    if (runs.isEmpty()) {
      throw new BadInput(
          results + " has no runs",
          "expected NAME/metrics.jsonl or NAME/needle.jsonl",
          "Run runs/language/compare.sh");
    }
  }

  /** Fills the places of the page {@code file} from the folders in {@code results}. */
  public static void write(Path results, Path file) {
    LanguageReport report = new LanguageReport(results, file);
    report.training();
    report.positions("long", "long.jsonl", 128 * K);
    report.positions("million", "million.jsonl", K * K);
    report.categories();
    report.needles();
    report.ablations();
    report.recipes();
    report.page.write();
  }

  private List<RunResult> families() {
    return FAMILIES.stream()
        .flatMap(f -> Stream.of(f, f + "-qk"))
        .filter(runs::containsKey)
        .map(runs::get)
        .toList();
  }

  private void training() {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of(
            "model",
            "rate",
            "M tokens",
            "seconds",
            "loss",
            "bits per byte, test, 2K",
            "long, 2K",
            "long, whole",
            "seconds to Mamba's last loss",
            "to the hybrid's"));
    for (RunResult r : families()) {
      RunResult.Update last = r.last();
      if (last == null) continue;
      rows.add(
          List.of(
              r.name(),
              String.format(Locale.ROOT, "%.1e", r.peakRate()),
              String.format(Locale.ROOT, "%.0f", last.tokens() / 1e6),
              String.format(Locale.ROOT, "%.0f", last.seconds()),
              number(last.loss()),
              number(r.score("test.jsonl", "disjoint:2048", "all", "bitsPerByte")),
              number(r.score("long.jsonl", "disjoint:2048", "all", "bitsPerByte")),
              number(r.score("long.jsonl", "stream", "all", "bitsPerByte")),
              secondsTo(r, "mamba"),
              secondsTo(r, "hybrid")));
    }
    page.fill("scores", Marked.table(rows));
    page.fill("loss", curves("loss-tokens", "million tokens", u -> u.tokens() / 1e6));
    page.fill("time", curves("loss-seconds", "seconds", RunResult.Update::seconds));
  }

  private String secondsTo(RunResult run, String other) {
    RunResult goal = runs.get(other);
    RunResult.Update last = goal == null ? null : goal.last();
    Double seconds = last == null ? null : run.secondsTo(last.loss());
    return seconds == null ? "–" : String.format(Locale.ROOT, "%.0f", seconds);
  }

  /** Losses over something; the first tenth is left out, which would flatten the rest. */
  private String curves(String name, String unit, ToDoubleFunction<RunResult.Update> x) {
    List<Chart.Line> lines = new ArrayList<>();
    for (RunResult r : families()) {
      List<RunResult.Update> all = r.smoothed();
      List<RunResult.Update> late = all.subList(all.size() / 10, all.size());
      if (late.isEmpty()) continue;
      lines.add(
          new Chart.Line(
              r.name(),
              late.stream().map(u -> x.applyAsDouble(u)).toList(),
              late.stream().map(RunResult.Update::loss).toList()));
    }
    if (lines.isEmpty()) return "";
    return draw(name, "Loss over " + unit, Chart.zoomed(unit, "nats per token", lines));
  }

  private String draw(String name, String words, String svg) {
    AtomicFile.replace(pictures.resolve(name + ".svg"), svg.getBytes(StandardCharsets.UTF_8));
    return Marked.picture(words, pictures.getFileName() + "/" + name + ".svg");
  }

  /** Loss by position over the texts of at least {@code longest} tokens, and in ranges. */
  private void positions(String name, String file, int longest) {
    List<Chart.Line> lines = new ArrayList<>();
    for (RunResult run : families()) {
      List<LmScore> texts = LmScore.atLeast(longest, run.texts(file));
      if (!texts.isEmpty()) lines.add(line(run.name(), LmScore.curve(texts), longest));
    }
    List<RunResult> all = new ArrayList<>(families());
    runs.values().stream().filter(r -> r.name().endsWith("-8k")).forEach(all::add);
    List<List<String>> rows = ranges(all, file, longest);
    if (rows.size() == 1) return;
    String table = Marked.table(rows);
    if (lines.isEmpty()) {
      page.fill(name, table);
      return;
    }
    String svg = Chart.octaves("position", "nats per token", lines);
    page.fill(name, draw(name, "Loss by position", svg) + "\n\n" + table);
  }

  private static List<List<String>> ranges(List<RunResult> some, String file, int longest) {
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>(List.of("model", "texts"));
    for (int[] r : RANGES) header.add(TokenCount.format(r[0]) + "–" + TokenCount.format(r[1]));
    rows.add(header);
    for (RunResult run : some) {
      for (int length : new int[] {32 * K, longest}) {
        List<LmScore> texts = LmScore.atLeast(length, run.texts(file));
        if (texts.isEmpty()) continue;
        List<LmScore.Bin> curve = LmScore.curve(texts);
        List<String> row = new ArrayList<>(List.of(run.name(), String.valueOf(texts.size())));
        for (int[] range : RANGES) {
          LmScore.Bin bin = LmScore.between(curve, range[0], range[1]);
          row.add(bin == null || range[1] > length ? "" : number(bin.loss()));
        }
        rows.add(row);
      }
    }
    return rows;
  }

  private static Chart.Line line(String name, List<LmScore.Bin> curve, int longest) {
    List<Double> x = new ArrayList<>(), y = new ArrayList<>();
    for (LmScore.Bin b : curve) {
      if (b.from() < 64 || b.to() > longest) continue; // The first tokens are dear to all.
      x.add(Math.sqrt((double) b.from() * b.to()));
      y.add(b.loss());
    }
    return new Chart.Line(name, x, y);
  }

  private void categories() {
    TreeSet<String> names = new TreeSet<>();
    for (RunResult r : families()) {
      r.lines("long.jsonl", "score").forEach(l -> names.add(l.path("category").asString()));
    }
    names.remove("all");
    if (names.isEmpty()) return;
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>(List.of("model"));
    for (String how : new String[] {"2K", "whole"}) names.forEach(n -> header.add(n + ", " + how));
    rows.add(header);
    for (RunResult r : families()) {
      List<String> row = new ArrayList<>(List.of(r.name()));
      for (String how : new String[] {"disjoint:2048", "stream"}) {
        names.forEach(n -> row.add(number(r.score("long.jsonl", how, n, "bitsPerByte"))));
      }
      rows.add(row);
    }
    page.fill("categories", Marked.table(rows));
  }

  private void needles() {
    for (String what : new String[] {"needle", "pairs"}) {
      TreeSet<Integer> lengths = new TreeSet<>();
      Map<String, Map<Integer, Double>> found = new TreeMap<>();
      for (RunResult r : runs.values()) {
        Map<Integer, List<Double>> cells = new TreeMap<>();
        for (JsonNode c : r.lines(what + ".jsonl", "cell")) {
          cells
              .computeIfAbsent(c.path("length").asInt(), _ -> new ArrayList<>())
              .add(c.path("exact").asDouble());
        }
        if (cells.isEmpty()) continue;
        Map<Integer, Double> means = new TreeMap<>();
        cells.forEach((length, shares) ->
            means.put(length, shares.stream().mapToDouble(s -> s).average().orElse(0)));
        found.put(r.name().replaceFirst("-needles$", ""), means);
        lengths.addAll(means.keySet());
      }
      if (found.isEmpty()) continue;
      List<List<String>> rows = new ArrayList<>();
      List<String> header = new ArrayList<>(List.of("model"));
      lengths.forEach(l -> header.add(TokenCount.format(l)));
      rows.add(header);
      List<Chart.Line> lines = new ArrayList<>();
      found.forEach((name, means) -> {
        List<String> row = new ArrayList<>(List.of(name));
        for (int length : lengths) {
          Double mean = means.get(length);
          row.add(mean == null ? "" : String.format(Locale.ROOT, "%.0f%%", 100 * mean));
        }
        rows.add(row);
        List<Double> x = means.keySet().stream().map(l -> (double) l).toList();
        lines.add(new Chart.Line(name, x, new ArrayList<>(means.values())));
      });
      String svg = Chart.points("tokens of context", "answered word for word", 1, lines);
      page.fill(what, draw(what, "Answers by length", svg) + "\n\n" + Marked.table(rows));
    }
  }

  private void ablations() {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("changed", "loss", "bits per byte, test, 2K", "long, 2K", "long, whole"));
    for (RunResult r : runs.values()) {
      RunResult.Update last = r.last();
      if (last == null || !r.name().startsWith("ablate-")) continue;
      rows.add(
          List.of(
              r.name().substring("ablate-".length()),
              number(last.loss()),
              number(r.score("test.jsonl", "disjoint:2048", "all", "bitsPerByte")),
              number(r.score("long.jsonl", "disjoint:2048", "all", "bitsPerByte")),
              number(r.score("long.jsonl", "stream", "all", "bitsPerByte"))));
    }
    if (rows.size() > 1) page.fill("ablations", Marked.table(rows));
  }

  /** What lengths.sh found: documents as they are, then joined. */
  private void recipes() {
    List<RunResult> all =
        runs.values().stream().filter(r -> r.name().startsWith("recipe-")).toList();
    if (all.isEmpty()) return;
    String whole = Marked.table(ranges(all, "long.jsonl", 128 * K));
    String joined = Marked.table(ranges(all, "million.jsonl", K * K));
    page.fill("recipes", whole + "\n\nJoined:\n\n" + joined);
  }

  private static String number(@Nullable Double value) {
    return value == null ? "–" : String.format(Locale.ROOT, "%.4f", value);
  }
}
