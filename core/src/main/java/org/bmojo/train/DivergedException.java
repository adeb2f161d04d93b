package org.bmojo.train;

/** The loss is no longer a number. The weights have not been updated with it. */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DivergedException(long step, double loss, double rate) {
    super(
        "loss is "
            + loss
            + " at step "
            + step
            + " with learning rate "
            + rate
            + "; lower the learning rate or lengthen the warm-up, and resume from the last"
            + " checkpoint");
  }
}
