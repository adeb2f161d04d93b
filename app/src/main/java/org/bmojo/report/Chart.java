package org.bmojo.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Rectangle;
import java.awt.font.FontRenderContext;
import java.text.FieldPosition;
import java.text.NumberFormat;
import java.text.ParsePosition;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.text.TokenCount;
import org.jfree.chart.ChartFactory;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.axis.CategoryLabelPositions;
import org.jfree.chart.axis.LogAxis;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.NumberTickUnit;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.block.BlockBorder;
import org.jfree.chart.plot.CategoryPlot;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.PlotOrientation;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.category.BarRenderer;
import org.jfree.chart.renderer.category.StandardBarPainter;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.title.LegendTitle;
import org.jfree.data.category.DefaultCategoryDataset;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;
import org.jfree.svg.SVGGraphics2D;
import org.jfree.svg.SVGHints;
import org.jfree.svg.ViewBox;
import org.jspecify.annotations.Nullable;

/** Charts as SVG, in colours that read on light and dark pages. */
public final class Chart {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 340;
  private static final int MOST_POINTS = 400;
  // Text and lines between black and white: legible on both.
  private static final Color INK = new Color(0x80, 0x86, 0x8f);
  private static final Color GRID = new Color(0x80, 0x86, 0x8f, 70);
  // Okabe and Ito's palette, told apart by colour-blind readers too.
  private static final Color[] PALETTE = {
    new Color(0xD5, 0x5E, 0x00),
    new Color(0x00, 0x72, 0xB2),
    new Color(0x00, 0x9E, 0x73),
    new Color(0xCC, 0x79, 0xA7),
    new Color(0xE6, 0x9F, 0x00),
    new Color(0x56, 0xB4, 0xE9)
  };

  private static final BasicStroke SOLID = new BasicStroke(2f);
  private static final BasicStroke DASHED =
      new BasicStroke(2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1f, new float[] {6, 4}, 0);
  private static final int MOST_TICKS = 12;
  private static final int LEVEL_LABELS = 5; // Names of more bars would run into each other.

  private Chart() {}

  /** One line: y over x, smoothed to at most some hundred points. */
  public record Line(String name, List<Double> x, List<Double> y) {
    /** The values over 1, 2, 3, … */
    public static Line counted(String name, List<Double> y) {
      List<Double> x = IntStream.rangeClosed(1, y.size()).asDoubleStream().boxed().toList();
      return new Line(name, x, y);
    }
  }

  /** Lines over a common axis. */
  public static String lines(String xLabel, String yLabel, List<Line> lines) {
    return lines(xLabel, yLabel, true, lines);
  }

  /** The same with the range of y that the values need, zero or not. */
  public static String zoomed(String xLabel, String yLabel, List<Line> lines) {
    return lines(xLabel, yLabel, false, lines);
  }

  private static String lines(String xLabel, String yLabel, boolean zero, List<Line> lines) {
    XYSeriesCollection data = new XYSeriesCollection();
    for (Line line : lines) {
      XYSeries series = new XYSeries(line.name);
      int block = Math.max(1, line.y.size() / MOST_POINTS);
      for (int from = 0; from < line.y.size(); from += block) {
        int to = Math.min(from + block, line.y.size());
        double mean = line.y.subList(from, to).stream().mapToDouble(v -> v).average().orElse(0);
        series.add((double) line.x.get(to - 1), mean);
      }
      data.addSeries(series);
    }
    JFreeChart chart =
        ChartFactory.createXYLineChart(
            null, xLabel, yLabel, data, PlotOrientation.VERTICAL, lines.size() > 1, false, false);
    XYPlot plot = chart.getXYPlot();
    for (int i = 0; i < lines.size(); i++) {
      plot.getRenderer().setSeriesPaint(i, PALETTE[i % PALETTE.length]);
      plot.getRenderer().setSeriesStroke(i, new BasicStroke(2f));
    }
    if (!zero) zoom(plot);
    plot.setDomainGridlinePaint(GRID);
    plot.setRangeGridlinePaint(GRID);
    style(plot.getDomainAxis());
    style(plot.getRangeAxis());
    return svg(chart, plot);
  }

  /** Lines through marked points, x on a logarithmic axis, y between 0 and {@code top}. */
  public static String points(String xLabel, String yLabel, double top, List<Line> lines) {
    return overOctaves(xLabel, yLabel, top, lines);
  }

  /** The same with the range of y that the values need. */
  public static String octaves(String xLabel, String yLabel, List<Line> lines) {
    return overOctaves(xLabel, yLabel, null, lines);
  }

  private static String overOctaves(
      String xLabel, String yLabel, @Nullable Double top, List<Line> lines) {
    XYSeriesCollection data = new XYSeriesCollection();
    for (Line line : lines) {
      XYSeries series = new XYSeries(line.name);
      for (int i = 0; i < line.x.size(); i++) series.add(line.x.get(i), line.y.get(i));
      data.addSeries(series);
    }
    JFreeChart chart =
        ChartFactory.createXYLineChart(
            null, xLabel, yLabel, data, PlotOrientation.VERTICAL, true, false, false);
    XYPlot plot = chart.getXYPlot();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, top != null);
    for (int i = 0; i < lines.size(); i++) {
      renderer.setSeriesPaint(i, PALETTE[i % PALETTE.length]);
      // Colours come again after the sixth line, but dashed.
      renderer.setSeriesStroke(i, i < PALETTE.length ? SOLID : DASHED);
    }
    plot.setRenderer(renderer);
    plot.setDomainAxis(octaves(xLabel, lines));
    if (top != null) {
      plot.getRangeAxis().setRange(0, top * 1.02);
    } else {
      zoom(plot);
    }
    plot.setDomainGridlinePaint(GRID);
    plot.setRangeGridlinePaint(GRID);
    style(plot.getDomainAxis());
    style(plot.getRangeAxis());
    return svg(chart, plot);
  }

  private static void zoom(XYPlot plot) {
    if (!(plot.getRangeAxis() instanceof NumberAxis axis)) return;
    axis.setAutoRangeIncludesZero(false);
    axis.configure();
  }

  /** From one power of two to another, ticks at powers of two. */
  private static LogAxis octaves(String label, List<Line> lines) {
    double[] x = lines.stream().flatMap(l -> l.x.stream()).mapToDouble(v -> v).sorted().toArray();
    int low = (int) Math.floor(Math.log(x[0]) / Math.log(2));
    int high = (int) Math.ceil(Math.log(x[x.length - 1]) / Math.log(2));
    LogAxis axis = new LogAxis(label);
    axis.setBase(2);
    axis.setRange(Math.pow(2, low - 0.2), Math.pow(2, Math.max(high, low + 1) + 0.2));
    axis.setTickUnit(new NumberTickUnit(high - low > MOST_TICKS ? 2 : 1));
    axis.setNumberFormatOverride(new PowersOfTwo());
    return axis;
  }

  /** 0.5, 512, 1K, 64K, 1M. */
  private static final class PowersOfTwo extends NumberFormat {
    private static final long serialVersionUID = 1L;

    @Override
    public StringBuffer format(double number, StringBuffer to, FieldPosition position) {
      boolean part = number < 1;
      return to.append(part ? String.valueOf(number) : TokenCount.format(Math.round(number)));
    }

    @Override
    public StringBuffer format(long number, StringBuffer to, FieldPosition position) {
      return format((double) number, to, position);
    }

    @Override
    public @Nullable Number parse(String source, ParsePosition position) {
      return null; // Nothing is read from a chart.
    }
  }

  /** One bar for each entry, in the map's order, with values between 0 and {@code top}. */
  public static String bars(String yLabel, double top, Map<String, Double> values) {
    DefaultCategoryDataset data = new DefaultCategoryDataset();
    values.forEach((name, value) -> data.addValue(value, name, name));
    JFreeChart chart =
        ChartFactory.createBarChart(
            null, null, yLabel, data, PlotOrientation.VERTICAL, false, false, false);
    CategoryPlot plot = chart.getCategoryPlot();
    BarRenderer bars = new OneColourEach();
    bars.setBarPainter(new StandardBarPainter());
    bars.setShadowVisible(false);
    bars.setMaximumBarWidth(0.14);
    plot.setRenderer(bars);
    plot.setRangeGridlinePaint(GRID);
    plot.getRangeAxis().setRange(0, top);
    plot.getDomainAxis().setTickLabelPaint(INK);
    if (values.size() > LEVEL_LABELS) {
      plot.getDomainAxis().setCategoryLabelPositions(CategoryLabelPositions.UP_45);
    }
    style(plot.getRangeAxis());
    return svg(chart, plot);
  }

  /** Every category is its own row of the data: without this, bars would stand side by side. */
  private static final class OneColourEach extends BarRenderer {
    private static final long serialVersionUID = 1L;

    OneColourEach() {
      setItemMargin(-1);
      for (int i = 0; i < PALETTE.length; i++) setSeriesPaint(i, PALETTE[i]);
    }
  }

  private static void style(ValueAxis axis) {
    axis.setLabelPaint(INK);
    axis.setTickLabelPaint(INK);
    axis.setAxisLinePaint(INK);
    axis.setTickMarkPaint(INK);
  }

  /**
   * Asks for what text in a plot is measured with; to be called before the work whose result is to
   * be drawn.
   *
   * @throws BadInput if this machine has no fonts, as small containers have none
   */
  public static void requireFonts() {
    try {
      var metrics = new FontRenderContext(null, true, true);
      new Font(Font.SANS_SERIF, Font.PLAIN, 13).getStringBounds("loss", metrics);
    } catch (RuntimeException | LinkageError e) { // All that AWT says is "Fontconfig head is null".
      throw new BadInput(
          "no fonts here to draw plots with (%s)".formatted(e.getMessage()),
          "expected fontconfig and one font",
          "Install them (Debian: fontconfig and fonts-dejavu-core), or leave the page out");
    }
  }

  private static String svg(JFreeChart chart, Plot plot) {
    Color nothing = new Color(0, 0, 0, 0);
    chart.setBackgroundPaint(nothing);
    plot.setBackgroundPaint(nothing);
    plot.setOutlineVisible(false);
    LegendTitle legend = chart.getLegend();
    if (legend != null) {
      legend.setBackgroundPaint(nothing);
      legend.setItemPaint(INK);
      legend.setItemFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
      legend.setFrame(BlockBorder.NONE);
    }
    requireFonts();
    SVGGraphics2D graphics = new SVGGraphics2D(WIDTH, HEIGHT);
    graphics.setRenderingHint(JFreeChart.KEY_SUPPRESS_SHADOW_GENERATION, true);
    graphics.setRenderingHint(
        SVGHints.KEY_TEXT_RENDERING, SVGHints.VALUE_TEXT_RENDERING_LEGIBILITY);
    chart.draw(graphics, new Rectangle(WIDTH, HEIGHT));
    return graphics.getSVGElement(null, true, new ViewBox(0, 0, WIDTH, HEIGHT), null, null);
  }
}
