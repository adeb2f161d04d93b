package org.bmojo.tasks;

/**
 * The memory axis of recall plots: what a model keeps per sequence to go on decoding, at four bytes
 * an element. A pure count from a layer's numbers; layers add up.
 *
 * <pre>
 * StateBytes.convolution(128, 3).plus(StateBytes.sliding(128, 64)).bytes()     67,072
 * StateBytes.mamba(64, 8).times(2).bytes()                                      8,192
 * </pre>
 *
 * Conventions are those of the published curves, so that points share an axis: a Mamba layer's own
 * convolution buffer, for one, is not counted. {@link #bmojoKept} counts everything of ours.
 *
 * @param elements numbers kept per sequence
 */
public record StateBytes(long elements) {
  private static final int BYTES_PER_ELEMENT = 4;

  public StateBytes {
    Check.that(
        elements >= 0,
        "a state of " + elements + " elements",
        "expected none or more",
        "check the layer's sizes");
  }

  /** Elements times four, whatever precision the run used. */
  public long bytes() {
    return Math.multiplyExact(elements, BYTES_PER_ELEMENT);
  }

  public StateBytes plus(StateBytes other) {
    return new StateBytes(Math.addExact(elements, other.elements));
  }

  /** The same layer several times. */
  public StateBytes times(int layers) {
    return new StateBytes(Math.multiplyExact(elements, (long) layers));
  }

  /** Full attention at sequence length L: 2·d·L. On the published axis L is 1024. */
  public static StateBytes attention(int d, int length) {
    return product(2, d, length);
  }

  /** Sliding-window attention: 2·d·w. */
  public static StateBytes sliding(int d, int window) {
    return product(2, d, window);
  }

  /** Mamba and Mamba-2 with expand 2: 2·d·d_state. */
  public static StateBytes mamba(int d, int dState) {
    return product(2, d, dState);
  }

  /** Short convolution: d·kernel. */
  public static StateBytes convolution(int d, int kernel) {
    return product(1, d, kernel);
  }

  /** Long convolution, Hyena: d·L. */
  public static StateBytes longConvolution(int d, int length) {
    return product(1, d, length);
  }

  /** Gated delta net: heads·d_k·d_v. */
  public static StateBytes deltaNet(int heads, int dKey, int dValue) {
    return product(heads, dKey, dValue);
  }

  /**
   * Based: key-value heads · (head dim + 1) · features of the second-order Taylor map, f(f+1)/2 + f
   * + 1.
   */
  public static StateBytes based(int kvHeads, int headDim, int feature) {
    Check.atLeast(0, feature, "feature");
    long expanded = (long) feature * (feature + 1) / 2 + feature + 1;
    return product(kvHeads, headDim + 1, expanded);
  }

  /**
   * A B'MOJO layer by the natural total of its budgets: d_inner·d_state + 2·d·(w + eidetic +
   * fading).
   *
   * @param fading cached fading tokens, 0 if they are not cached
   */
  public static StateBytes bmojo(
      int d, int dInner, int dState, int window, int eidetic, int fading) {
    return product(1, dInner, dState)
        .plus(product(2, d, window))
        .plus(product(2, d, eidetic))
        .plus(product(2, d, fading));
  }

  /**
   * A B'MOJO layer with everything our implementation keeps: the fading path's convolutions,
   * (d_inner + d)·(kernel − 1); fading keys for F + w tokens, as an output is first used w steps
   * later; score and position of each eidetic token.
   *
   * @param dKv width of keys, key heads times head dim
   */
  public static StateBytes bmojoKept(
      int d, int dInner, int dState, int kernel, int dKv, int window, int eidetic, int fading) {
    Check.atLeast(1, kernel, "kernel");
    int fadingKept = fading == 0 ? 0 : fading + window;
    return bmojo(dKv, dInner, dState, window, eidetic, fadingKept)
        .plus(product(1, dInner + d, kernel - 1))
        .plus(product(2, 1, eidetic));
  }

  private static StateBytes product(long a, long b, long c) {
    Check.that(
        a >= 0 && b >= 0 && c >= 0,
        "sizes " + a + ", " + b + ", " + c,
        "expected none below 0",
        "check the layer's sizes");
    return new StateBytes(Math.multiplyExact(Math.multiplyExact(a, b), c));
  }
}
