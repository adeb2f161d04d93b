package org.bmojo.mixer;

import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * A bar that a token's score must pass to be kept, so that memory's size is set by the data:
 * "finite but a-priori unknown". Exactly one of the two is set.
 *
 * @param absolute keep iff e &gt; absolute
 * @param quantile keep iff e exceeds this running quantile of the scores so far, in (0, 1); it is
 *     followed in the logarithm, log τ += {@value #RATE} · (quantile − [e ≤ τ]), starting at τ = 1
 */
public record Threshold(@Nullable Double absolute, @Nullable Double quantile) {
  /** Step of the running quantile in log τ. */
  public static final double RATE = 0.05;

  /** Refuses none, both, and a quantile outside (0, 1). */
  public Threshold {
    boolean one = (absolute == null) != (quantile == null);
    boolean share = quantile == null || (quantile > 0 && quantile < 1);
    if (!one || !share || (absolute != null && absolute.isNaN())) {
      throw new BadInput(
          "threshold with absolute " + absolute + " and quantile " + quantile,
          "expected exactly one of them, the quantile between 0 and 1",
          "correct the configuration");
    }
  }
}
