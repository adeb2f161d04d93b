package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;

import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/** Forward over one head of one sequence, piece by piece. */
final class HeadForward {
  private HeadForward() {}

  /**
   * Writes the task's part of the results.
   *
   * @param y (B, T, H, P)
   * @param last (B, H, N, P)
   * @param checkpoints room for the state before every piece, if backward follows
   */
  static void run(HeadInputs in, int task, Floats y, Floats last, @Nullable Floats checkpoints) {
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
