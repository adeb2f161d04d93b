package org.bmojo.generate;

import java.util.HashMap;
import java.util.Map;

/** Lowers the logits of tokens that one sequence has already, as its {@link Decoding} says. */
public final class Penalties {
  private final Decoding decoding;
  private final Map<Integer, Integer> answered = new HashMap<>(); // 0 for those in the prompt only

  /** Of a sequence that goes on after {@code prompt}. */
  public Penalties(Decoding decoding, int... prompt) {
    this.decoding = decoding;
    if (decoding.repetition() != 1) for (int id : prompt) answered.put(id, 0);
  }

  /** Notes a token of the answer. */
  public void add(int id) {
    if (decoding.penalises()) answered.merge(id, 1, Integer::sum);
  }

  /** Changes {@code logits}, one a token of the vocabulary. */
  public void apply(float[] logits) {
    if (!decoding.penalises()) return;
    answered.forEach((id, count) -> {
      double logit = logits[id];
      logit = logit > 0 ? logit / decoding.repetition() : logit * decoding.repetition();
      if (count > 0) logit -= decoding.presence() + count * decoding.frequency();
      logits[id] = (float) logit;
    });
  }
}
