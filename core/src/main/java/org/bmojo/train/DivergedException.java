package org.bmojo.train;

/** The loss or its gradient is no longer a number. The weights have not been updated with it. */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DivergedException(String what, double value, long step, double rate) {
    super(
        what
            + " is "
            + value
            + " at step "
            + step
            + " with learning rate "
            + rate
            + "; lower the learning rate or lengthen the warm-up, and resume from the last"
            + " checkpoint");
  }
}
