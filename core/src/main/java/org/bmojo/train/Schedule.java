package org.bmojo.train;

import org.bmojo.error.BadInput;

/**
 * The learning rate over a run: a linear warm-up to the peak, then one of three shapes down to
 * {@code floor · peak}.
 *
 * @param shape after the warm-up
 * @param peak highest rate
 * @param floor last rate as a share of the peak
 * @param warmup steps to the peak
 * @param steps of the whole run
 */
public record Schedule(Shape shape, double peak, double floor, long warmup, long steps) {
  /** What follows the warm-up. */
  public enum Shape {
    /** The peak throughout. */
    CONSTANT,
    /** Half a cosine. */
    COSINE,
    /** Warm-up, stable, decay: the peak, then a line down over the last fifth. */
    WSD
  }

  private static final double WSD_DECAY = 0.2;

  /** Refuses rates and lengths that make no schedule. */
  public Schedule {
    boolean rates = peak > 0 && Double.isFinite(peak) && floor >= 0 && floor <= 1;
    if (!rates || warmup < 0 || steps < 1 || warmup > steps) {
      throw new BadInput(
          "a schedule with peak %s, floor %s, warm-up %d of %d steps"
              .formatted(peak, floor, warmup, steps),
          "expected peak > 0, floor in [0, 1], 0 ≤ warm-up ≤ steps and steps ≥ 1",
          "correct the options");
    }
  }

  /** Warm-up over a twentieth of the run, then a cosine to a tenth of the peak. */
  public static Schedule cosine(double peak, long steps) {
    return new Schedule(Shape.COSINE, peak, 0.1, Math.max(1, steps / 20), steps);
  }

  /** The rate of step 1, 2, …; past the end, the last one. */
  public double rate(long step) {
    if (step <= warmup) return peak * step / warmup;
    double progress = Math.min(1, (double) (step - warmup) / Math.max(1, steps - warmup));
    double share =
        switch (shape) {
          case CONSTANT -> 1;
          case COSINE -> 0.5 + 0.5 * Math.cos(Math.PI * progress);
          case WSD -> Math.min(1, (1 - progress) / WSD_DECAY);
        };
    return shape == Shape.CONSTANT ? peak : peak * (floor + (1 - floor) * share);
  }
}
