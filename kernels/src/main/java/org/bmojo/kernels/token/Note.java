package org.bmojo.kernels.token;

import java.util.function.LongToDoubleFunction;

/**
 * A score that is known from the token's position alone, into a ring of scores.
 *
 * @param scores (1, capacity) ring
 */
public record Note(LongToDoubleFunction score, Moment moment, Place scores) implements Stage {
  @Override
  public int parts() {
    return 1;
  }

  @Override
  public void run(int part, Room room) {
    float e = (float) score.applyAsDouble(moment.position);
    scores.floats().set(moment.position % scores.size(1), e);
  }
}
