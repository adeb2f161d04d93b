package org.bmojo.train;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.bmojo.error.BadInput;

/**
 * Which updates are not to be applied, and what then. One whose loss or gradient is no number never
 * is; one whose loss lies far above those before, the spike that a bad batch makes, only if asked.
 *
 * @param policy stop, or leave the update out and go on
 * @param spike how many deviations above the median of the last {@value #WINDOW} losses is too
 *     many; 0 for any
 * @param patience how many updates may be left out in a row
 */
public record Guard(Policy policy, double spike, int patience) {
  /** What to do about such an update. */
  public enum Policy {
    /** End with a {@link DivergedException}. */
    STOP,
    /** Leave it out: batch and learning rate are used up, the weights stay as they were. */
    SKIP
  }

  /** Losses that are compared with. */
  public static final int WINDOW = 64;

  /** Fewer say nothing about what is usual. */
  static final int LEAST = 16;

  /** Times the median distance from the median: the deviation, were losses normal. */
  private static final double NORMAL = 1.4826;

  /** Losses that agree better than this share of their median do not make a ripple a spike. */
  private static final double RIPPLE = 0.005;

  /** Stops at what is no number; takes every loss that is one. */
  public static final Guard STANDARD = new Guard(Policy.STOP, 0, 10);

  /** Refuses negative numbers. */
  public Guard {
    if (!(spike >= 0) || Double.isInfinite(spike) || patience < 1) {
      throw new BadInput(
          "a guard with spikes of %s deviations, %d updates in a row".formatted(spike, patience),
          "expected 0 or more deviations, and at least 1 update",
          "Correct --spike or --max-skips");
    }
  }

  /** The last losses of updates that were applied, and how many were not. */
  static final class Watch {
    private final Guard guard;
    private final Deque<Double> losses = new ArrayDeque<>();
    private int inRow;
    private long skipped;

    Watch(Guard guard) {
      this.guard = guard;
    }

    /** The highest loss to accept next. */
    double limit() {
      if (guard.spike == 0 || losses.size() < LEAST) return Double.POSITIVE_INFINITY;
      double[] values = losses.stream().mapToDouble(l -> l).toArray();
      double median = median(values);
      double[] distances = Arrays.stream(values).map(l -> Math.abs(l - median)).toArray();
      double deviation = Math.max(NORMAL * median(distances), RIPPLE * Math.abs(median));
      return median + guard.spike * deviation;
    }

    private static double median(double[] values) {
      Arrays.sort(values);
      int half = values.length / 2;
      return values.length % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }

    /** An update was applied. */
    void accept(double loss) {
      inRow = 0;
      if (losses.size() == WINDOW) losses.removeFirst();
      losses.addLast(loss);
    }

    /** An update was not applied; returns whether that is to be borne. */
    boolean skip() {
      if (guard.policy == Policy.STOP || inRow == guard.patience) return false;
      inRow++;
      skipped++;
      return true;
    }

    int inRow() {
      return inRow;
    }

    long skipped() {
      return skipped;
    }
  }
}
