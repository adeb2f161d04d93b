package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import java.util.Arrays;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** Elementary operations that need no kernel of ours: libtorch computes them both ways. */
public final class Ops {
  private Ops() {}

  /** a + b of equal shapes. */
  public static Var add(Tape tape, Var a, Var b) {
    return tape.record(
        a.value().add(b.value()),
        inputs(a, b),
        keeping(),
        dy -> {
          a.addGradient(dy);
          b.addGradient(dy);
        });
  }

  /** a · factor. */
  public static Var scale(Tape tape, Var a, double factor) {
    return tape.record(
        a.value().mul(scalar(factor)),
        inputs(a),
        keeping(),
        dy -> a.giveGradient(dy.mul(scalar(factor))));
  }

  /** The mean of all elements, a scalar. */
  public static Var mean(Tape tape, Var a) {
    long[] shape = Shapes.of(a.value());
    double share = 1.0 / a.value().numel();
    return tape.record(
        a.value().mean(),
        inputs(a),
        keeping(),
        dy -> a.addGradient(dy.mul(scalar(share)).expand(shape)));
  }

  /**
   * x · weightᵀ (+ bias).
   *
   * @param x (…, in)
   * @param weight (out, in)
   * @param bias (out), or null
   */
  public static Var linear(Tape tape, Var x, Var weight, @Nullable Var bias) {
    PackedMatrix packed = weight instanceof Parameter p ? p.packed() : null;
    if (packed != null) return packedLinear(tape, x, packed, bias);
    try (Scope scope = new Scope()) {
      Tensor input = x.value(), w = weight.value();
      Tensor product = input.matmul(w.t());
      Tensor y = scope.keep(bias == null ? product : product.add(as(bias.value(), product)));
      return tape.record(
          y,
          inputs(x, weight, bias),
          keeping(input, w),
          dy -> {
            Tensor rows = dy.reshape(-1, w.size(0)); // (M, out)
            x.addGradientProduct(dy, w);
            if (weight instanceof Parameter p) {
              p.addGradientProduct(0, rows.t(), input.reshape(-1, w.size(1)));
            } else if (weight.needsGradient()) {
              weight.addGradient(rows.t().matmul(input.reshape(-1, w.size(1))));
            }
            if (bias != null) bias.addGradient(rows.sum(0));
          });
    }
  }

  /**
   * x · weight[from … from+count−1]ᵀ: one of several maps that share a matrix, without a copy of
   * their joint output.
   */
  public static Var linearRows(Tape tape, Var x, Parameter weight, long from, long count) {
    PackedMatrix packed = weight.packed();
    if (packed != null && packed.cutsAt(from) && packed.cutsAt(count)) {
      return packedLinear(tape, x, packed.rows(from, count), null);
    } else if (packed != null) {
      return columns(tape, packedLinear(tape, x, packed, null), from, count);
    }
    try (Scope scope = new Scope()) {
      Tensor input = x.value();
      Tensor w = scope.keep(weight.value().narrow(0, from, count));
      return tape.record(
          scope.keep(input.matmul(w.t())),
          inputs(x, weight),
          keeping(input, w),
          dy -> {
            x.addGradientProduct(dy, w);
            Tensor rows = dy.reshape(-1, count);
            weight.addGradientProduct(from, rows.t(), input.reshape(-1, w.size(1)));
          });
    }
  }

  private static Var packedLinear(Tape tape, Var x, PackedMatrix weight, @Nullable Var bias) {
    if (tape.isRecording()) {
      throw new BadInput(
          "training with weights in " + weight.format(),
          "expected them as they were loaded",
          "Leave --weights out");
    }
    try (Scope scope = new Scope()) {
      Tensor y = Kernels.of(x.value()).packedLinear().forward(x.value(), weight);
      return Var.constant(scope.keep(bias == null ? y : y.add(as(bias.value(), y))));
    }
  }

  /** Rows of a table: (V, d) and ids (B, T) → (B, T, d). */
  public static Var embedding(Tape tape, Parameter table, Tensor ids) {
    long vocabulary = table.value().size(0);
    return tape.record(
        torch.embedding(table.value(), ids),
        inputs(table),
        keeping(ids),
        dy -> table.addGradient(torch.embedding_dense_backward(dy, ids, vocabulary, -1, false)));
  }

  /** A slice of the last axis. */
  public static Var columns(Tape tape, Var x, long from, long count) {
    long[] shape = Shapes.of(x.value());
    return tape.record(
        x.value().narrow(-1, from, count).contiguous(),
        inputs(x),
        keeping(),
        dy -> x.addGradientColumns(shape, from, dy));
  }

  /** Side by side along the last axis. */
  public static Var beside(Tape tape, Var... parts) {
    Tensor[] values = Arrays.stream(parts).map(Var::value).toArray(Tensor[]::new);
    long[] widths = Arrays.stream(values).mapToLong(v -> v.size(-1)).toArray();
    return tape.record(
        cat(-1, values),
        inputs(parts),
        keeping(),
        dy -> {
          long from = 0;
          for (int i = 0; i < parts.length; i++) {
            parts[i].addGradient(dy.narrow(-1, from, widths[i]));
            from += widths[i];
          }
        });
  }

  /** Every head n times in a row: (B, T, G, D) → (B, T, n·G, D). */
  public static Var repeatHeads(Tape tape, Var x, long times) {
    if (times == 1) return x;
    Tensor v = x.value();
    long batch = v.size(0), tokens = v.size(1), heads = v.size(2), dim = v.size(3);
    try (Scope scope = new Scope()) {
      Tensor y = v.unsqueeze(3).expand(batch, tokens, heads, times, dim);
      return tape.record(
          scope.keep(y.reshape(batch, tokens, heads * times, dim)),
          inputs(x),
          keeping(),
          dy -> x.addGradient(dy.reshape(batch, tokens, heads, times, dim).sum(3)));
    }
  }

  /** The same elements in another shape. */
  public static Var reshape(Tape tape, Var x, long... shape) {
    long[] before = Shapes.of(x.value());
    return tape.record(
        x.value().reshape(shape), inputs(x), keeping(), dy -> x.addGradient(dy.reshape(before)));
  }

  /**
   * Every token's row moved one token later, the first taken from {@code first}.
   *
   * @param x (B, T, d)
   * @param first (B, d) constant, or null for zeros
   */
  public static Var delay(Tape tape, Var x, @Nullable Tensor first) {
    try (Scope scope = new Scope()) {
      Tensor value = x.value();
      long tokens = value.size(1);
      Tensor y = torch.empty_like(value);
      if (first == null) {
        y.narrow(1, 0, 1).zero_();
      } else {
        y.select(1, 0).copy_(first);
      }
      y.narrow(1, 1, tokens - 1).copy_(value.narrow(1, 0, tokens - 1));
      return tape.record(
          scope.keep(y),
          inputs(x),
          keeping(),
          dy -> {
            Tensor dx = torch.zeros_like(dy);
            dx.narrow(1, 0, tokens - 1).copy_(dy.narrow(1, 1, tokens - 1));
            x.giveGradient(dx);
          });
    }
  }

  /** Some rows of a matrix: (M, d) and rows (n) int64 → (n, d). No row twice. */
  public static Var selectRows(Tape tape, Var x, Tensor rows) {
    long[] shape = Shapes.of(x.value());
    return tape.record(
        x.value().index_select(0, rows),
        inputs(x),
        keeping(rows),
        dy -> {
          Tensor dx = zeros(dy, shape);
          dx.index_copy_(0, rows, dy);
          x.giveGradient(dx);
        });
  }
}
