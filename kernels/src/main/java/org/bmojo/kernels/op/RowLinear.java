package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.expect;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Linear maps of the few rows that there are when sequences go on by one token each. Nothing has a
 * gradient; results are written where the caller says, so that recorded work finds them there.
 */
public interface RowLinear {
  /**
   * Gain and what is added to the mean square where rows are normalised first.
   *
   * @param gain (K)
   * @param out (B, K), gets the normalised rows as well; null where nobody asks
   */
  record Norm(Tensor gain, double eps, @Nullable Tensor out) {}

  /**
   * One of the maps that read the same rows.
   *
   * @param weight (N, K)
   * @param out (B, N), overwritten
   */
  record Map(Tensor weight, Tensor out) {}

  /**
   * out = norm(x) · weightᵀ + added, each sum rounded to the type of the rows.
   *
   * @param x (B, K)
   * @param norm null for none
   * @param maps one to three
   * @param added at most two (B, N), where there is one map: added in this order; one of them may
   *     be the output itself
   */
  void forward(Tensor x, @Nullable Norm norm, List<Map> maps, List<Tensor> added);

  /**
   * out = silu(norm(x) · gateᵀ) · (norm(x) · upᵀ).
   *
   * @param x (B, K)
   * @param norm null for none
   * @param gate (N, K)
   * @param up (N, K)
   * @param out (B, N), overwritten
   */
  void gated(Tensor x, @Nullable Norm norm, Tensor gate, Tensor up, Tensor out);

  /** Refuses shapes that do not fit together. */
  static void check(Tensor x, @Nullable Norm norm, List<Map> maps, List<Tensor> added) {
    String op = "row linear";
    expect(op, "x", x, x.size(0), x.size(1));
    if (norm != null) {
      expect(op, "gain", norm.gain, x.size(1));
      if (norm.out != null) expect(op, "normalised", norm.out, x.size(0), x.size(1));
    }
    if (maps.isEmpty()
        || maps.size() > 3
        || added.size() > 2
        || (maps.size() > 1 && !added.isEmpty())) {
      throw new BadInput(
          op + ": " + maps.size() + " maps, " + added.size() + " tensors to add",
          "expected one to three, and at most two to add to a single one",
          "split the call");
    }
    for (Map map : maps) {
      expect(op, "weight", map.weight, map.weight.size(0), x.size(1));
      expect(op, "out", map.out, x.size(0), map.weight.size(0));
      for (Tensor t : added) expect(op, "added", t, x.size(0), map.weight.size(0));
    }
  }
}
