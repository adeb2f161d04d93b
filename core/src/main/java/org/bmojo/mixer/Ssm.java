package org.bmojo.mixer;

import java.util.function.Consumer;
import org.bmojo.kernels.token.Stage;
import org.bmojo.layer.Names;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A complete state-space layer: (B, T, d) → (B, T, d), no residual of its own. */
interface Ssm extends Names.Named {
  /** What one layer remembers of a batch of sequences; of constant size. */
  interface SsmState extends StateParts.Parted, AutoCloseable {
    @Override
    void close();
  }

  /**
   * The state before the first token.
   *
   * @param positions where the rows stand, advanced by the layer once its parts have read a token
   */
  SsmState newState(Positions positions);

  /**
   * The whole of a sequence, or its next part.
   *
   * @param x (B, T, d)
   * @param packing null for one document a row
   * @param state advanced past x; null for a sequence that begins and ends here
   * @return (B, T, d)
   */
  Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable SsmState state);

  /** The same of one document a row. */
  default Var forward(Tape tape, Var x, @Nullable SsmState state) {
    return forward(tape, x, null, state);
  }

  /**
   * One token of each sequence.
   *
   * @param x (B, 1, d)
   * @param state advanced by one token
   * @return (B, 1, d)
   */
  Tensor step(Tensor x, SsmState state);

  /** Whether {@link #plan} can say how. */
  default boolean plans() {
    return false;
  }

  /**
   * Adds what {@link #step} does to a plan for a batch of one.
   *
   * @param x the layer's input
   * @param end where its output goes
   * @param besides stages that need x alone, to run beside the first
   * @return is told of each state before the plan runs
   */
  default Consumer<SsmState> plan(TokenPlan plan, float[] x, TokenPlan.End end, Stage... besides) {
    throw new IllegalStateException("a layer without a plan");
  }
}
