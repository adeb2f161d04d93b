package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;

import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Backward over the heads of all sequences: where the gradients go, and a task's walk. */
final class HeadBackward {
  final Floats q, k, v, g, initial;
  final @Nullable Floats beta;

  private final HeadInputs in;
  private final Floats checkpoints, dy;
  private final @Nullable Floats dLast;

  /**
   * With room for the gradients, in the innermost scope.
   *
   * @param checkpoints what forward left
   * @param dy (B, T, H, P)
   * @param dLast (B, H, N, P)
   */
  HeadBackward(HeadInputs in, Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    this.in = in;
    this.checkpoints = Floats.of(checkpoints);
    this.dy = Floats.of(dy);
    this.dLast = dLast == null ? null : Floats.of(dLast);
    q = Floats.like(in.q().owner());
    k = Floats.like(in.k().owner());
    v = Floats.like(in.v().owner());
    g = Floats.like(in.g().owner());
    beta = in.beta() == null ? null : Floats.like(in.beta().owner());
    HeadLayout layout = in.layout();
    initial =
        Floats.of(
            Tensors.empty(
                checkpoints, layout.batch(), layout.heads(), layout.states(), layout.values()));
  }

  /** One head of one sequence, from its last piece to its first. */
  void run(int task) {
    HeadLayout layout = in.layout();
    HeadPiece piece = new HeadPiece(layout);
    HeadReverse reverse = new HeadReverse(piece);
    DeltaReverse rule = beta == null ? null : new DeltaReverse(new DeltaRule(piece), reverse);
    if (dLast != null) layout.readState(dLast, task, reverse.dState);
    for (int at = layout.pieces() - 1; at >= 0; at--) {
      int from = at * PIECE, count = layout.length(from);
      checkpoints.read(layout.checkpointAt(task, at), piece.state, 0, piece.state.length);
      piece.read(in, task, from, count);
      layout.rows(dy, task, layout.values()).read(from, count, reverse.dy, piece.valueStride);
      if (rule == null) reverse.run(count);
      else rule.run(in, task, from, count);
      layout.rows(q, task, layout.states()).write(from, count, reverse.dq, piece.keyStride);
      layout.rows(k, task, layout.states()).write(from, count, reverse.dk, piece.keyStride);
      layout.rows(v, task, layout.values()).write(from, count, reverse.dv, piece.valueStride);
      for (int t = 0; t < count; t++) {
        g.set(layout.numberAt(task, from + t), reverse.dg[t]);
        if (rule != null && beta != null) {
          beta.set(layout.numberAt(task, from + t), rule.dBeta[t]);
        }
      }
    }
    layout.writeState(reverse.dState, task, initial);
  }
}
