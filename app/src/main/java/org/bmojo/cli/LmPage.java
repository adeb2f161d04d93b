package org.bmojo.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.eval.LmScore;
import org.bmojo.report.Chart;
import org.bmojo.report.Page;
import org.bmojo.text.TokenCount;

/** What {@link EvalLm} measured, as words and as a page. */
final class LmPage {
  /** Ranges of positions that are compared, from the training length's second half on. */
  private static final int[][] RANGES = {
    {0, 1 << 10},
    {1 << 10, 2 << 10},
    {2 << 10, 8 << 10},
    {8 << 10, 32 << 10},
    {32 << 10, 128 << 10},
    {128 << 10, 1 << 20}
  };

  private LmPage() {}

  /** A table of scores, and one of loss by position. */
  static String text(List<EvalLm.Measured> measured, List<EvalLm.Score> scores) {
    StringBuilder text = new StringBuilder();
    scoreRows(scores).forEach(row -> text.append(columns(row)));
    for (EvalLm.Measured m : measured) {
      text.append(System.lineSeparator());
      text.append("loss by position, ").append(m.windows()).append(System.lineSeparator());
      rangeRows(m.texts()).forEach(row -> text.append(columns(row)));
    }
    return text.toString().stripTrailing();
  }

  private static String columns(List<String> row) {
    StringBuilder line = new StringBuilder();
    for (int c = 0; c < row.size(); c++) {
      line.append(String.format(c < 2 ? "%-17s" : "%14s", row.get(c)));
    }
    return line.toString().stripTrailing() + System.lineSeparator();
  }

  static void write(
      EvalLm.Run run, List<EvalLm.Measured> measured, List<EvalLm.Score> scores, Path file) {
    Page page = new Page("Language modelling: " + run.model());
    page.text(
        String.format(
            Locale.ROOT,
            "%,d parameters, %s in %s, %s at %s.",
            run.parameters(),
            run.device(),
            run.precision(),
            run.version(),
            run.commit() == null ? "no known commit" : run.commit()));
    page.table(scoreRows(scores));
    for (EvalLm.Measured m : measured) {
      page.section("Loss by position, " + m.windows());
      page.text(
          "Positions are counted from where memory was empty; a line is over one set of texts,"
              + " those at least as long as its end.");
      List<Chart.Line> lines = curves(m.texts());
      if (!lines.isEmpty()) {
        page.chart(
            Chart.octaves("position", "nats per token", lines),
            "Mean loss over positions, four bins to an octave");
      }
      page.table(rangeRows(m.texts()));
    }
    page.write(file);
  }

  private static List<List<String>> scoreRows(List<EvalLm.Score> scores) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of("windows", "category", "texts", "tokens", "bits per byte", "perplexity", "loss"));
    for (EvalLm.Score s : scores) {
      Double bits = s.bitsPerByte();
      rows.add(
          List.of(
              s.windows(),
              s.category(),
              String.valueOf(s.documents()),
              String.format(Locale.ROOT, "%,d", s.tokens()),
              bits == null ? "" : number(bits),
              String.format(Locale.ROOT, "%.3f", s.perplexity()),
              number(s.loss())));
    }
    return rows;
  }

  /** For each set of texts that are long enough, the loss in each range. */
  private static List<List<String>> rangeRows(List<LmScore> texts) {
    List<String> header = new ArrayList<>(List.of("texts of", "how many"));
    for (int[] range : RANGES)
      header.add(TokenCount.format(range[0]) + "–" + TokenCount.format(range[1]));
    List<List<String>> rows = new ArrayList<>(List.of(header));
    for (int[] longest : RANGES) {
      List<LmScore> set = LmScore.atLeast(longest[1], texts);
      if (set.isEmpty()) continue;
      List<LmScore.Bin> curve = LmScore.curve(set);
      List<String> row = new ArrayList<>();
      row.add(TokenCount.format(longest[1]) + " or more");
      row.add(String.valueOf(set.size()));
      for (int[] range : RANGES) {
        LmScore.Bin bin = LmScore.between(curve, range[0], range[1]);
        row.add(bin == null || range[1] > longest[1] ? "" : number(bin.loss()));
      }
      rows.add(row);
    }
    return rows;
  }

  /** One line for each set of texts of at least 2K, 8K, 32K … tokens, up to that position. */
  private static List<Chart.Line> curves(List<LmScore> texts) {
    List<Chart.Line> lines = new ArrayList<>();
    for (int[] range : RANGES) {
      List<LmScore> set = LmScore.atLeast(range[1], texts);
      if (set.isEmpty()) continue;
      List<Double> x = new ArrayList<>(), y = new ArrayList<>();
      for (LmScore.Bin b : LmScore.curve(set)) {
        if (b.to() > range[1]) break;
        x.add(Math.sqrt((double) Math.max(1, b.from()) * b.to()));
        y.add(b.loss());
      }
      if (x.isEmpty()) continue;
      lines.add(
          new Chart.Line(set.size() + " of " + TokenCount.format(range[1]) + " or more", x, y));
    }
    return lines;
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.4f", value);
  }
}
