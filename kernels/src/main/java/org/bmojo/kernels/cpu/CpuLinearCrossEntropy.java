package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Some rows at a time: libtorch multiplies out their logits, {@link SoftmaxRow} turns these into
 * losses and gradients where they lie, and libtorch multiplies the gradients on. One block of
 * logits is all that ever exists.
 */
public final class CpuLinearCrossEntropy implements LinearCrossEntropy {
  /**
   * Logits of a block, 16 MB: so many rows make a good matrix product, and a cache still has them
   * when softmax comes.
   */
  private static final long BLOCK = 1 << 22;

  @Override
  public Output forward(
      Tensor hidden, Tensor weight, Tensor targets, double scale, boolean gradients) {
    LinearCrossEntropy.expectFit(hidden, weight, targets);
    try (Scope scope = new Scope()) {
      Tensor x = hidden.to(ScalarType.Float), w = weight.to(ScalarType.Float);
      long rows = x.size(0), words = w.size(0);
      Tensor losses = empty(x, ScalarType.Float, rows);
      Tensor dx = gradients ? empty(x, rows, x.size(1)) : null;
      Tensor dw = gradients ? zeros(w, words, x.size(1)) : null;
      long block = Math.clamp(BLOCK / words, 16, Math.max(16, rows));
      Tensor logits = empty(x, Math.min(block, rows), words);
      for (long from = 0; from < rows; from += block) {
        long count = Math.min(block, rows - from);
        Tensor own = logits.narrow(0, 0, count), xs = x.narrow(0, from, count);
        torch.mm_out(own, xs, w.t());
        softmax(
            own, targets.narrow(0, from, count), losses.narrow(0, from, count), scale, gradients);
        if (dx == null || dw == null) continue;
        torch.mm_out(dx.narrow(0, from, count), own, w);
        dw.addmm_(own.t(), xs);
      }
      return new Output(
          scope.keep(losses),
          dx == null ? null : scope.keep(as(dx, hidden)),
          dw == null ? null : scope.keep(as(dw, weight)));
    }
  }

  private static void softmax(
      Tensor logits, Tensor targets, Tensor losses, double scale, boolean gradients) {
    Floats memory = Floats.of(logits), to = Floats.of(losses);
    long[] target = Longs.of(targets);
    int words = (int) logits.size(1);
    Cores.forEach(
        target.length,
        r -> {
          SoftmaxRow row = new SoftmaxRow(memory, (long) r * words, words);
          boolean ignored = target[r] == IGNORED;
          to.set(r, ignored ? 0 : row.loss((int) target[r]));
          if (gradients && ignored) row.clear();
          else if (gradients) row.differentiate((int) target[r], (float) scale);
        });
  }
}
