package org.bmojo.mixer;

/** How long-term memory is placed relative to the query. */
public enum FarPositions {
  /** All of it at the one distance W + F, however old it is: nothing depends on training length. */
  FIXED,
  /** No rotation on either side. */
  NONE,
  /** At each token's own position: for ablation, breaks beyond the training length. */
  ABSOLUTE
}
