package org.bmojo.mixer;

/** How long-term memory is placed relative to the query. */
public enum FarPositions {
  /** All of it at the one distance W + F, however old it is: nothing depends on training length. */
  FIXED,
  /** No rotation on either side. */
  NONE,
  /** At each token's own position: for ablation, breaks beyond the training length. */
  ABSOLUTE,
  /**
   * One behind the other from W + F on, the newest first: tells which of two is the newer, and no
   * distance is longer than W + F + E.
   */
  ORDER;

  /** Whether keys are turned, each to a place of its own. */
  boolean turnsKeys() {
    return this == ABSOLUTE || this == ORDER;
  }
}
