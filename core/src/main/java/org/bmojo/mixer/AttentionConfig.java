package org.bmojo.mixer;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.MemoryAttention;
import org.jspecify.annotations.Nullable;

/**
 * Short-term memory (a window of keys and values), what it reads of the fading state, and long-term
 * memory beside it.
 *
 * @param heads H, query heads
 * @param kvHeads G, key/value heads; divides H
 * @param headDim D, even
 * @param window W, tokens a query sees, itself included; null for all
 * @param fading F, tokens beyond the window that are seen as the state's outputs
 * @param convolution width of the short convolution in front of q, k and v; 0 for none
 * @param qkNorm whether queries and keys are normalised per head
 * @param tied whether fading keys and values use the same matrices as the window's
 * @param ropeBase base of the rotary embedding; 0 for no positions at all
 * @param eidetic long-term memory; null for none
 * @param details in what published checkpoints differ
 */
public record AttentionConfig(
    int heads,
    int kvHeads,
    int headDim,
    @Nullable Integer window,
    int fading,
    int convolution,
    boolean qkNorm,
    boolean tied,
    double ropeBase,
    @Nullable EideticConfig eidetic,
    AttentionDetails details) {
  /** Refuses sizes that do not fit together. */
  public AttentionConfig {
    if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0) {
      throw new BadInput(
          heads + " query heads over " + kvHeads + " key/value heads",
          "expected a multiple",
          "correct heads or kvHeads");
    }
    if (headDim < 2 || headDim % 2 != 0) {
      throw new BadInput("headDim " + headDim, "expected an even number", "correct headDim");
    }
    if (window != null && window < 1) {
      throw new BadInput(
          "window " + window,
          "expected at least 1, since a query sees itself",
          "correct window, or use null for full attention");
    }
    if (fading < 0 || convolution < 0 || convolution == 1) {
      throw new BadInput(
          "fading " + fading + ", convolution " + convolution,
          "expected fading ≥ 0 and convolution 0 or ≥ 2",
          "correct the configuration");
    }
    if (eidetic != null && window != null && eidetic.early() && eidetic.chunk() > window) {
      throw new BadInput(
          "early eidetic memory with chunk " + eidetic.chunk() + " and window " + window,
          "expected a chunk no longer than the window: a token cannot leave it before it is read",
          "lower chunk, or set early to false");
    }
    if (window == null && (fading > 0 || eidetic != null)) {
      throw new BadInput(
          "full attention with fading or eidetic memory",
          "expected a finite window, beyond which they begin",
          "set window, or leave them out");
    }
    if (!(ropeBase >= 0) || Double.isInfinite(ropeBase)) {
      throw new BadInput("rope base " + ropeBase, "expected 0 or more", "correct ropeBase");
    }
    if (details.fadingQueries() && (tied || fading == 0)) {
      throw new BadInput(
          "fading queries of their own in a layer that is tied or has no fading memory",
          "expected untied fading memory",
          "set tied to false, or fadingQueries to false");
    }
  }

  /** With our own {@link AttentionDetails#PLAIN details}. */
  public AttentionConfig(
      int heads,
      int kvHeads,
      int headDim,
      @Nullable Integer window,
      int fading,
      int convolution,
      boolean qkNorm,
      boolean tied,
      double ropeBase,
      @Nullable EideticConfig eidetic) {
    this(
        heads,
        kvHeads,
        headDim,
        window,
        fading,
        convolution,
        qkNorm,
        tied,
        ropeBase,
        eidetic,
        AttentionDetails.PLAIN);
  }

  /** W as a number; {@link MemoryAttention#UNBOUNDED} for all. */
  public int reach() {
    return window == null ? MemoryAttention.UNBOUNDED : window;
  }

  /** C, or 1 where there is no eidetic memory. */
  public int chunk() {
    return eidetic == null ? 1 : eidetic.chunk();
  }

  /** This without eidetic memory or with another one. */
  public AttentionConfig with(@Nullable EideticConfig other) {
    return new AttentionConfig(
        heads,
        kvHeads,
        headDim,
        window,
        fading,
        convolution,
        qkNorm,
        tied,
        ropeBase,
        other,
        details);
  }

  /** Factor of q·k. */
  public double scale() {
    Double own = details.scale();
    return own == null ? 1 / Math.sqrt(headDim) : own;
  }
}
