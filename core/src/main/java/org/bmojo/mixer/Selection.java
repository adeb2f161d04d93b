package org.bmojo.mixer;

/** Which tokens eidetic memory prefers: how a token's score is made. */
public enum Selection {
  /** e = ‖rms(x_j) − P(y_{j−1})‖²/d, or of rms(y): how badly the state predicted the token. */
  INNOVATION,
  /** e = softplus(w·x_j + b), whose logarithm joins the logit and so trains w. */
  IMPORTANCE,
  /**
   * Importance that is judged against what the state holds: e = softplus(w·x_j + u·rms(y_j) + b),
   * used as importance is. A token that looks the same twice can matter only once.
   */
  CONTEXTUAL,
  /** Both: innovation times importance, used as importance is. */
  COMBINED,
  /** As innovation, predicted by a causal filter over the last four inputs. */
  FILTER,
  /** Control: a fixed pseudo-random number per position. */
  RANDOM,
  /** Control: the newest eligible tokens. */
  RECENT,
  /** Control: positions spread evenly over the past, by divisibility by powers of two. */
  STRIDE,
  /** Control: nothing is kept. */
  NONE;

  /** Whether the score's logarithm joins the logits of what is kept. */
  public boolean joins() {
    return this == IMPORTANCE || this == CONTEXTUAL || this == COMBINED;
  }

  /** Whether the score is how badly the state's output predicted the token, wholly or in part. */
  public boolean predicts() {
    return this == INNOVATION || this == COMBINED;
  }

  /** Whether the score reads the state's output, and so needs a layer that has one. */
  public boolean readsState() {
    return predicts() || this == CONTEXTUAL;
  }
}
