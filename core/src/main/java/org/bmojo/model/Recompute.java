package org.bmojo.model;

/** What training makes again in its backward pass instead of keeping it; gradients are the same. */
public enum Recompute {
  /** Nothing: fastest. */
  NONE,
  /**
   * What one pass over memory makes again: outputs of norms, convolutions and gates, Mamba's step
   * sizes. A quarter less memory for a fiftieth of the time.
   */
  LIGHT,
  /** Whole blocks: memory of one of them, for a third more arithmetic. */
  BLOCKS
}
