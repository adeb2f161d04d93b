package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import java.util.Arrays;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;

/** {@code innovation_score.cu}. */
public final class CudaInnovationScore implements InnovationScore {
  private static final String OP = "innovation score";

  @Override
  public Tensor forward(Tensor x, Tensor predicted) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, x);
      Shapes.expect(OP, "predicted", predicted, Shapes.of(x));
      Rows rows = Rows.of(OP, x);
      Tensor score = Floats.empty(x, Arrays.copyOf(Shapes.of(x), (int) x.dim() - 1));
      Program.of(x, "innovation_score", rows.constants(x, x))
          .kernel("innovation_forward")
          .launch(
              rows.all(),
              door.activation("x", x),
              door.activation("predicted", predicted),
              score,
              rows.count(),
              (float) EPS);
      return scope.keep(score);
    }
  }

  @Override
  public Gradients backward(Tensor x, Tensor predicted, Tensor de) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, x);
      Shapes.expect(OP, "predicted", predicted, Shapes.of(x));
      Shapes.expect(OP, "de", de, Arrays.copyOf(Shapes.of(x), (int) x.dim() - 1));
      Rows rows = Rows.of(OP, x);
      Tensor dx = empty(x, Shapes.of(x)), dPredicted = empty(x, Shapes.of(x));
      Program.of(x, "innovation_score", rows.constants(x, x))
          .kernel("innovation_backward")
          .launch(
              rows.all(),
              door.activation("x", x),
              door.activation("predicted", predicted),
              door.state("de", de),
              dx,
              dPredicted,
              rows.count(),
              (float) EPS);
      return new Gradients(scope.keep(dx), scope.keep(dPredicted));
    }
  }
}
