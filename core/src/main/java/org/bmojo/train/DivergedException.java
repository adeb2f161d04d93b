package org.bmojo.train;

/**
 * The loss or its gradient is no longer a number, or a {@link Guard} found the loss too high. The
 * weights have not been updated with it.
 */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DivergedException(String why, long step, double rate, int skipped) {
    super(
        why
            + " at step "
            + step
            + " with learning rate "
            + rate
            + (skipped == 0 ? "" : ", after " + skipped + " updates left out in a row")
            + "; lower the learning rate or lengthen the warm-up, and resume from the last"
            + " checkpoint");
  }
}
