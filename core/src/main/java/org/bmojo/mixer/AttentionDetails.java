package org.bmojo.mixer;

import org.bmojo.error.BadInput;
import org.bmojo.layer.RopeScaling;
import org.jspecify.annotations.Nullable;

/**
 * In what published checkpoints differ from each other, and from us.
 *
 * @param qkvBias whether queries, keys and values have biases
 * @param outputBias whether the out-projection has one
 * @param qkNormEps added to the mean square where queries and keys are normalised
 * @param scale multiplies q·k; null for D^(−1/2)
 * @param ropeScaling null for none
 * @param fadingQueries in an untied layer, whether fading keys are read by queries of their own,
 *     and normalised by norms of their own
 * @param singleAngles whether rotary angles are rounded to float32, as where the model was trained
 */
public record AttentionDetails(
    boolean qkvBias,
    boolean outputBias,
    double qkNormEps,
    @Nullable Double scale,
    @Nullable RopeScaling ropeScaling,
    boolean fadingQueries,
    boolean singleAngles) {
  /** Our own: no biases, eps 1e-6, D^(−1/2), no scaling, one set of queries. */
  public static final AttentionDetails PLAIN =
      new AttentionDetails(false, false, 1e-6, null, null, false, false);

  /** Refuses numbers that make no attention. */
  public AttentionDetails {
    boolean scaled = scale == null || (scale > 0 && scale < Double.POSITIVE_INFINITY);
    if (!(qkNormEps > 0) || !scaled) {
      throw new BadInput(
          "attention with norm eps " + qkNormEps + " and scale " + scale,
          "expected positive numbers",
          "correct the configuration");
    }
  }
}
