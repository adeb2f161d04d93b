package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.zeros;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Inner products of all rows with one vector.
 *
 * <p>In bfloat16 on a GPU rows are read as they lie, once forward and once backward: widened copies
 * of them would cost more than the rest of a layer's elementwise work. The vector stands there as
 * the sum of two bfloat16 numbers, its upper and its lower digits, so that products keep 16 bits.
 */
public final class RowDots {
  /** Rows of a small factor, zeros among them: matrix products want whole vectors. */
  private static final long PADDED = 8;

  private RowDots() {}

  /**
   * x · weight.
   *
   * @param x (B, T, d)
   * @param weight (d)
   * @return (B, T), float64 if x is, else float32
   */
  public static Var of(Tape tape, Var x, Var weight) {
    try (Scope scope = new Scope()) {
      Tensor rows = x.value(), w = weight.value();
      boolean narrow = rows.is_cuda() && rows.scalar_type().intern() == ScalarType.BFloat16;
      Tensor dots =
          narrow ? narrowDots(rows, w) : accumulated(rows).matmul(accumulated(w)); // (B, T)
      return tape.record(
          scope.keep(dots),
          inputs(x, weight),
          keeping(rows, w),
          slope -> {
            if (narrow) {
              addNarrow(x, weight, rows, w, slope);
              return;
            }
            x.giveGradient(as(slope.unsqueeze(2).mul(accumulated(w)), rows));
            Tensor flat = accumulated(rows).reshape(-1, rows.size(2));
            weight.giveGradient(as(slope.reshape(1, -1).matmul(flat).reshape(-1), w));
          });
    }
  }

  private static Tensor narrowDots(Tensor rows, Tensor w) {
    Tensor flat = rows.reshape(-1, rows.size(2)); // (M, d)
    Tensor products = empty(flat, ScalarType.Float, flat.size(0), PADDED);
    torch.mm_out(products, flat, digits(w).t(), ScalarType.Float);
    return products.sum(1).reshape(rows.size(0), rows.size(1));
  }

  private static void addNarrow(Var x, Var weight, Tensor rows, Tensor w, Tensor slope) {
    Tensor flat = rows.reshape(-1, rows.size(2));
    Tensor each = slope.to(ScalarType.BFloat16).unsqueeze(2), vector = w.to(ScalarType.BFloat16);
    Tensor before = x.before(rows);
    x.giveGradient(before == null ? each.mul(vector) : before.addcmul(each, vector), before);
    Tensor sums = empty(flat, ScalarType.Float, PADDED, flat.size(1));
    torch.mm_out(sums, digits(slope.reshape(-1)), flat, ScalarType.Float);
    weight.giveGradient(as(sums.sum(0), w));
  }

  /** Upper and lower digits of (n) as bfloat16, then zeros: (8, n). */
  private static Tensor digits(Tensor t) {
    Tensor upper = t.to(ScalarType.BFloat16);
    Tensor both = zeros(upper, PADDED, t.numel());
    both.select(0, 0).copy_(upper);
    both.select(0, 1).copy_(t.sub(upper));
    return both;
  }
}
