package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * {@code cross_entropy.cu} between libtorch's matrix products, a block of rows at a time: logits
 * exist for one block only and become their own gradient in place. The weight's gradient is summed
 * over blocks in float32.
 */
public final class CudaLinearCrossEntropy implements LinearCrossEntropy {
  private static final String OP = "linear cross-entropy";

  /** Logits of a block, at most: 512 MB of bfloat16. */
  private static final long BLOCK = 1L << 27;

  @Override
  public Output forward(
      Tensor hidden, Tensor weight, Tensor targets, double scale, boolean gradients) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, hidden);
      Shapes.expect(OP, "hidden", hidden, ANY, ANY);
      long rows = hidden.size(0), vocabulary = weight.size(0);
      Shapes.expect(OP, "weight", weight, ANY, hidden.size(1));
      Shapes.expect(OP, "targets", targets, rows);
      Tensor h = door.activation("hidden", hidden), w = door.activation("weight", weight);
      Tensor labels = door.index("targets", targets);
      Tensor losses = Floats.empty(h, rows);
      Tensor dHidden = gradients ? empty(h, Shapes.of(h)) : null;
      long perBlock = Math.max(1, Math.min(rows, BLOCK / vocabulary));
      Tensor dWeight = null;
      for (long from = 0; from < rows; from += perBlock) {
        try (Scope block = new Scope()) {
          long count = Math.min(perBlock, rows - from);
          Tensor part = h.narrow(0, from, count);
          Tensor logits = part.matmul(w.t()); // (count, V)
          softmax(
              logits,
              labels.narrow(0, from, count),
              losses.narrow(0, from, count),
              scale,
              gradients);
          if (dHidden == null) continue;
          torch.matmul_out(dHidden.narrow(0, from, count), logits, w);
          Tensor slopes = logits.t(); // (V, count)
          if (perBlock >= rows) {
            dWeight = block.keep(slopes.matmul(part)); // (V, d)
          } else if (dWeight == null) {
            dWeight = block.keep(Floats.empty(w, Shapes.of(w)));
            product(dWeight, slopes, part, false);
          } else {
            product(dWeight, slopes, part, true);
          }
        }
      }
      return new Output(
          scope.keep(losses),
          dHidden == null ? null : scope.keep(dHidden),
          dWeight == null ? null : scope.keep(Tensors.as(dWeight, weight)));
    }
  }

  /** sum = a · b, or sum += a · b, in the float32 that bfloat16 factors are multiplied in. */
  private static void product(Tensor sum, Tensor a, Tensor b, boolean onto) {
    boolean narrow = a.scalar_type().intern() == ScalarType.BFloat16;
    if (!narrow && onto) sum.addmm_(a, b);
    else if (!narrow) torch.mm_out(sum, a, b);
    else if (onto) torch.addmm_out(sum, sum, a, b, ScalarType.Float, scalar(1), scalar(1));
    else torch.mm_out(sum, a, b, ScalarType.Float);
  }

  private static void softmax(
      Tensor logits, Tensor targets, Tensor losses, double scale, boolean gradients) {
    int vector = Vectors.width(logits, logits.size(1));
    Program.of(logits, "cross_entropy", "ELEMENT=" + Program.type(logits), "VECTOR=" + vector)
        .kernel("cross_entropy")
        .launch(
            new Grid(logits.size(0), 512),
            logits,
            targets,
            losses,
            logits.size(1),
            (float) scale,
            gradients ? 1 : 0);
  }
}
