package org.bmojo.cli;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How fast a run is, as a mean over its last updates, and when it will be done. */
final class Pace {
  /** Memory of the mean: some twenty updates. */
  private static final double MEMORY = 0.95;

  private final double flopsPerToken;
  private final @Nullable Double peak;
  private double seconds;
  private double tokens;

  /**
   * @param parameters of the model
   * @param peak operations a second of the device; null where not known
   */
  Pace(long parameters, @Nullable Double peak) {
    flopsPerToken = 6.0 * parameters;
    this.peak = peak;
  }

  /** An update took so long. */
  void update(long tokens, double seconds) {
    this.tokens = MEMORY * this.tokens + tokens;
    this.seconds = MEMORY * this.seconds + seconds;
  }

  /** Lately. */
  double tokensPerSecond() {
    return seconds == 0 ? 0 : tokens / seconds;
  }

  /** Share of the device's peak that 6 operations a parameter and token are; null if unknown. */
  @Nullable Double utilisation() {
    return peak == null ? null : flopsPerToken * tokensPerSecond() / peak;
  }

  /** Seconds until so many tokens more are read. */
  double remaining(long tokens) {
    double speed = tokensPerSecond();
    return speed == 0 ? 0 : tokens / speed;
  }

  /** {@code 1:02:03}, or {@code 2:03} below an hour. */
  static String clock(double seconds) {
    long s = Math.round(seconds);
    return s < 3600
        ? String.format(Locale.ROOT, "%d:%02d", s / 60, s % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  }

  /** A few words for the progress bar. */
  String words(double loss, long tokensLeft) {
    Double share = utilisation();
    return String.format(
        Locale.ROOT,
        "loss %.3f, %.0f tokens/s%s, %s left",
        loss,
        tokensPerSecond(),
        share == null ? "" : String.format(Locale.ROOT, ", MFU %.0f %%", 100 * share),
        clock(remaining(tokensLeft)));
  }
}
