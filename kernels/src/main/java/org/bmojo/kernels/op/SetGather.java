package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;

import java.util.Arrays;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The rows that {@link EideticSelect} chose, and the way back. A token stays in the sets of many
 * chunks, so that its gradient is a sum over all of them, taken in the order of the sets.
 */
public interface SetGather {
  /**
   * Where the members of M sets stand among L candidates.
   *
   * @param rows (B, M, E) int64, ascending in each set up to its empty slots
   * @param positions (B, M, E) int64, −1 for empty slots, which come last
   */
  record Sets(Tensor rows, Tensor positions) {
    /** Refuses shapes that differ. */
    public Sets {
      expect("set gather", "rows", rows, ANY, ANY, ANY);
      expect("set gather", "positions", positions, Shapes.of(rows));
    }
  }

  /**
   * Rows 0 … P−1 come from a constant past, rows P … P+T−1 are the new tokens'.
   *
   * @param past (B, P, …), or null for P = 0
   * @param fresh (B, T, …)
   * @return (B, M, E, …); what stands in empty slots is some candidate's row and means nothing
   */
  Tensor forward(@Nullable Tensor past, Tensor fresh, Sets sets);

  /**
   * The gradient of {@code fresh}.
   *
   * @param past P
   * @param tokens T
   * @param dy (B, M, E, …); empty slots are passed over
   * @return (B, T, …)
   */
  Tensor backward(Sets sets, long past, long tokens, Tensor dy);

  /**
   * The same, added to a gradient of {@code fresh} that came another way.
   *
   * @param before (B, T, …) of dy's type; unchanged
   */
  default Tensor backwardOnto(Tensor before, Sets sets, long past, long tokens, Tensor dy) {
    return before.add(backward(sets, past, tokens, dy));
  }

  /** Refuses candidates that are no batch of rows. */
  static void expectFit(@Nullable Tensor past, Tensor fresh, Sets sets) {
    long[] shape = Shapes.of(fresh);
    if (shape.length < 2 || shape[0] != sets.rows().size(0)) {
      throw new BadInput(
          "set gather: candidates " + Arrays.toString(shape),
          "expected (" + sets.rows().size(0) + ", T, …) as the sets have it",
          "pass one row of candidates a sequence");
    }
    if (past == null) return;
    long[] before = Shapes.of(past);
    if (before.length > 1) before[1] = shape[1];
    if (!Arrays.equals(before, shape)) {
      throw new BadInput(
          "set gather: a past " + Arrays.toString(Shapes.of(past)),
          "expected " + Arrays.toString(shape) + " but for the number of tokens",
          "pass the past of the same tensor");
    }
  }
}
