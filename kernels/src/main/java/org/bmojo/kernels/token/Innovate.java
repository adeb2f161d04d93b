package org.bmojo.kernels.token;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.Lanes;
import org.bmojo.kernels.op.InnovationScore;

/**
 * The innovation of a token, ‖rms(x) − predicted‖² / d, into a ring of scores; and the state's
 * output, which the next token's prediction is made from.
 *
 * @param scaleFree whether that is made from rms(y)
 * @param scores (1, capacity) ring
 * @param history (1, d)
 */
public record Innovate(
    float[] x,
    float[] predicted,
    float[] y,
    boolean scaleFree,
    int width,
    Moment moment,
    Place scores,
    Place history)
    implements Stage {
  @Override
  public int parts() {
    return 1;
  }

  @Override
  public void run(int part, Room room) {
    float scale = Input.scale(x, 0, width, InnovationScore.EPS);
    FloatVector sum = all(0f);
    for (int i = 0; i < width; i += LANES) {
      FloatVector off = load(x, i).mul(scale).sub(load(predicted, i)); // 0 behind the last
      sum = off.fma(off, sum);
    }
    float e = Lanes.sum(sum, new float[LANES]) / width;
    scores.floats().set(moment.position % scores.size(1), e);
    float[] from = y;
    if (scaleFree) {
      float loud = Input.scale(y, 0, width, InnovationScore.EPS);
      from = room.floats(width);
      for (int i = 0; i < width; i++) from[i] = y[i] * loud;
    }
    history.floats().write(0, from, 0, width);
  }
}
