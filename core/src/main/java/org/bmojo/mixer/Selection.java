package org.bmojo.mixer;

/** Which tokens eidetic memory prefers: how a token's score is made. */
public enum Selection {
  /** e = ‖rms(x_j) − P(y_{j−1})‖²/d: how badly the state predicted the token. */
  INNOVATION,
  /** e = softplus(w·x_j + b), whose logarithm joins the logit and so trains w. */
  IMPORTANCE,
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

  /** Whether the score is compared with a prediction that has a loss of its own. */
  public boolean predicts() {
    return this == INNOVATION || this == FILTER;
  }
}
