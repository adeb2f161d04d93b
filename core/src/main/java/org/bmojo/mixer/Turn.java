package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;

import org.bmojo.layer.RotaryCache;
import org.bmojo.layer.RotaryTable.Angles;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Turns heads to the positions of new tokens; does nothing where the layer has no positions. Rows
 * that are not in step are turned as if they were one sequence's tokens, each to its own position.
 */
final class Turn {
  private final @Nullable Angles angles;
  private final boolean inStep;

  /**
   * @param like gives type and device
   * @param tokens of each row; 1 unless rows are in step
   */
  Turn(@Nullable RotaryCache rotary, Tensor like, Positions positions, long tokens) {
    inStep = positions.inStep();
    if (rotary == null) {
      angles = null;
    } else if (inStep || tokens > 1) {
      angles = rotary.at(like, positions.common(), tokens);
    } else {
      angles = rowByRow(rotary, like, positions);
    }
  }

  private static Angles rowByRow(RotaryCache rotary, Tensor like, Positions positions) {
    if (!rotary.table().lengthMatters()) {
      return rotary.table().at(like, positions.tensor(ScalarType.Double));
    }
    // There angles depend on the length of a row's own text as well.
    Tensor[] cos = new Tensor[positions.batch()], sin = new Tensor[positions.batch()];
    for (int r = 0; r < cos.length; r++) {
      Angles one = rotary.at(like, positions.of(r), 1);
      cos[r] = one.cos();
      sin[r] = one.sin();
    }
    return new Angles(cat(0, cos), cat(0, sin));
  }

  /** (B, T, H, D) → (B, T, H, D). */
  Var apply(Tape tape, Var heads) {
    if (angles == null) return heads;
    if (inStep) return KernelOps.rotary(tape, heads, angles.cos(), angles.sin());
    long[] shape = heads.value().shape();
    Var row = Ops.reshape(tape, heads, 1, shape[0], shape[2], shape[3]);
    return Ops.reshape(tape, KernelOps.rotary(tape, row, angles.cos(), angles.sin()), shape);
  }
}
