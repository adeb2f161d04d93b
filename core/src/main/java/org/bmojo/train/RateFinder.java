package org.bmojo.train;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.jspecify.annotations.Nullable;

/**
 * A learning rate from a short run over which it grows by the same factor each step (Smith 2017):
 * where the smoothed loss falls fastest, before it rises.
 */
public final class RateFinder {
  /** Memory of the smoothed loss. */
  private static final double MEMORY = 0.9;

  /** The ramp ends where the smoothed loss lies this share above its lowest. */
  private static final double RISEN = 0.5;

  /** Steps before the slope means anything. */
  private static final int LEAST = 8;

  private RateFinder() {}

  /**
   * One step of the ramp.
   *
   * @param rate of its update
   * @param loss before it
   * @param smoothed mean of this loss and those before, with fading weights
   */
  public record Point(double rate, double loss, double smoothed) {}

  /**
   * What the ramp showed.
   *
   * @param suggested where the smoothed loss fell fastest; null where it never did
   * @param lowest where it was lowest
   */
  public record Curve(List<Point> points, @Nullable Double suggested, double lowest) {
    /** Reads a ramp's points. */
    static Curve of(List<Point> points) {
      int bottom = 0;
      for (int i = 1; i < points.size(); i++) {
        if (points.get(i).smoothed < points.get(bottom).smoothed) bottom = i;
      }
      int steepest = -1;
      double slope = 0;
      // Equal steps of log(rate); a slope over two of them is quieter.
      for (int i = Math.min(LEAST, points.size()); i <= bottom && i + 1 < points.size(); i++) {
        double s = (points.get(i + 1).smoothed - points.get(i - 1).smoothed) / 2;
        if (s < slope) {
          slope = s;
          steepest = i;
        }
      }
      Double suggested = steepest < 0 ? null : points.get(steepest).rate;
      return new Curve(List.copyOf(points), suggested, points.get(bottom).rate);
    }
  }

  /**
   * Trains {@code model}, which is of no use afterwards.
   *
   * @param from first rate
   * @param to last rate, unless the loss rises before
   */
  public static Curve ramp(
      LanguageModel model,
      Optimizer.Settings settings,
      BatchSource data,
      double from,
      double to,
      int steps) {
    if (!(from > 0) || !(to > from) || Double.isInfinite(to) || steps < 2 * LEAST) {
      throw new BadInput(
          "a ramp from %s to %s in %d steps".formatted(from, to, steps),
          "expected 0 < from < to, and at least " + 2 * LEAST + " steps",
          "Correct the options");
    }
    List<Point> points = new ArrayList<>();
    double mean = 0, lowest = Double.POSITIVE_INFINITY;
    try (Optimizer optimizer = new Optimizer(model.parameters(), settings)) {
      for (int i = 0; i < steps; i++) {
        double rate = from * Math.pow(to / from, (double) i / (steps - 1));
        double loss = step(model, optimizer, data, rate);
        if (!Double.isFinite(loss)) break;
        mean = MEMORY * mean + (1 - MEMORY) * loss;
        double smoothed = mean / (1 - Math.pow(MEMORY, i + 1));
        points.add(new Point(rate, loss, smoothed));
        lowest = Math.min(lowest, smoothed);
        if (smoothed > (1 + RISEN) * lowest) break;
      }
    }
    if (points.isEmpty()) {
      throw new BadInput("a loss that is no number", "expected one", "Try another --seed");
    }
    return Curve.of(points);
  }

  /** The loss before an update; NaN if its gradient was no number. */
  private static double step(
      LanguageModel model, Optimizer optimizer, BatchSource data, double rate) {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      var next = data.next();
      Var mean = model.loss(tape, Batch.of(next));
      double loss = mean.value().item_double();
      tape.backward(mean, 1);
      return Double.isFinite(optimizer.step(rate)) ? loss : Double.NaN;
    }
  }
}
