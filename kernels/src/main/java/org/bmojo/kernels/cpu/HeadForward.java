package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Forward over one head of one sequence, piece by piece. */
final class HeadForward {
  private HeadForward() {}

  /**
   * What all heads leave.
   *
   * @param y (B, T, H, P)
   * @param last (B, H, N, P)
   * @param checkpoints the state before every piece; null if no backward follows
   */
  record Results(Tensor y, Tensor last, @Nullable Tensor checkpoints) {}

  /**
   * All heads of all sequences, a task for each.
   *
   * @param scope keeps the results
   * @param like of whose type y is
   */
  static Results all(Scope scope, HeadInputs in, Tensor like, boolean forBackward) {
    HeadLayout layout = in.layout();
    Floats y = Floats.like(in.v().owner());
    Tensor last =
        empty(y.owner(), layout.batch(), layout.heads(), layout.states(), layout.values());
    Floats state = Floats.of(last);
    Floats checkpoints = forBackward ? Floats.of(empty(last, layout.checkpoints())) : null;
    Cores.forEach(layout.tasks(), task -> run(in, task, y, state, checkpoints));
    return new Results(
        scope.keep(as(y.owner(), like)),
        scope.keep(last),
        checkpoints == null ? null : scope.keep(checkpoints.owner()));
  }

  /**
   * Writes the task's part of the results.
   *
   * @param y (B, T, H, P)
   * @param last (B, H, N, P)
   * @param checkpoints room for the state before every piece, if backward follows
   */
  private static void run(
      HeadInputs in, int task, Floats y, Floats last, @Nullable Floats checkpoints) {
    HeadLayout layout = in.layout();
    HeadPiece piece = new HeadPiece(layout);
    DeltaRule rule = in.beta() == null ? null : new DeltaRule(piece);
    HeadRows out = layout.rows(y, task, layout.values());
    if (in.initial() != null) layout.readState(in.initial(), task, piece.state);
    for (int from = 0; from < layout.tokens(); from += PIECE) {
      int count = layout.length(from);
      if (checkpoints != null) {
        long at = layout.checkpointAt(task, from / PIECE);
        checkpoints.write(at, piece.state, 0, piece.state.length);
      }
      piece.read(in, task, from, count);
      if (rule != null) rule.correct(in, task, from, count);
      piece.advance(count);
      out.write(from, count, piece.y, piece.valueStride);
    }
    layout.writeState(piece.state, task, last);
  }
}
