package org.bmojo.mixer;

import org.bmojo.kernels.torch.Owned;
import org.bmojo.layer.Names;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What decides who stays: one score per token, higher for tokens worth keeping. */
interface Scorer extends Names.Named {
  /**
   * What enters.
   *
   * @param x (B, T, d) the layer's input
   * @param y (B, T, d) the state's output; null in a layer without ssm
   * @param positions of the first token
   * @param packing null for one document a row
   * @param history what {@link #history} asked to be remembered of earlier tokens, advanced here;
   *     null at the beginning of a sequence that ends here
   */
  record Inputs(
      Var x,
      @Nullable Var y,
      Positions positions,
      @Nullable Packing packing,
      @Nullable Owned history) {}

  /** The scores, (B, T); any loss of the scorer's own is added to the tape. */
  Var score(Tape tape, Inputs in);

  /** What must be remembered of earlier tokens before the first one, or null for nothing. */
  default @Nullable Tensor history(long batch) {
    return null;
  }

  @Override
  default void name(Names names) {}
}
