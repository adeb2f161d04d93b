package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.Lanes;
import org.bmojo.kernels.op.InnovationScore;
import org.jspecify.annotations.Nullable;

/**
 * The learned importance of a token, softplus(w·x + b) or softplus(w·x + u·rms(y) + b), into a ring
 * of scores.
 *
 * @param bias b, the first element
 * @param state the term in the state's output; null without
 * @param scores (1, capacity) ring
 */
public record Weigh(
    float[] x,
    float[] weight,
    float[] bias,
    @Nullable Term state,
    int width,
    Moment moment,
    Place scores)
    implements Stage {
  /**
   * u·rms(y).
   *
   * @param y (d)
   * @param weight u, (d)
   */
  public record Term(float[] y, float[] weight) {}

  @Override
  public int parts() {
    return 1;
  }

  @Override
  public void run(int part, Room room) {
    double logit = bias[0] + dot(x, weight);
    if (state != null) {
      float loudness = Input.scale(state.y, 0, width, InnovationScore.EPS);
      logit += loudness * dot(state.y, state.weight);
    }
    // Neither overflows where the logit is large nor ends at 0 where float32 has a number still.
    double e = Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit)));
    scores.floats().set(moment.position % scores.size(1), (float) e);
  }

  private float dot(float[] a, float[] b) {
    FloatVector sum = all(0f);
    for (int i = 0; i < width; i += LANES) sum = load(a, i).fma(load(b, i), sum); // b ends in zeros
    return Lanes.sum(sum, new float[LANES]);
  }
}
