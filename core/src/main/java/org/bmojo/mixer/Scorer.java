package org.bmojo.mixer;

import java.util.List;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.token.Stage;
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

  /** Whether {@link #plan} can say how a token is scored. */
  default boolean plans() {
    return false;
  }

  /**
   * What scores one token of one sequence, as stages.
   *
   * @param first need nothing of this token
   * @param second need x and y at most
   * @param last needs those; notes the score
   */
  record Stages(List<Stage> first, List<Stage> second, Stage last) {
    /** For a score that is made at once. */
    static Stages just(Stage last) {
      return new Stages(List.of(), List.of(), last);
    }
  }

  /**
   * What {@link #score} does, for a plan.
   *
   * @param x (d) the layer's input
   * @param y (d) the state's output; null in a layer without ssm
   * @param scores (1, capacity) takes the token's score
   * @param history what {@link #history} asked for, advanced by the last stage
   */
  default Stages plan(
      TokenPlan plan, float[] x, float @Nullable [] y, Place scores, Place history) {
    throw new IllegalStateException("no plan for this score");
  }

  @Override
  default void name(Names names) {}
}
