package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/** The mean squared difference between rms(x) and its prediction. */
public final class ReferenceInnovationScore implements InnovationScore {
  private static final ReferenceRmsNorm NORM = new ReferenceRmsNorm();

  @Override
  public Tensor forward(Tensor x, Tensor predicted) {
    try (Scope scope = new Scope()) {
      Tensor normalised = NORM.forward(accumulated(x), null, EPS).y();
      return scope.keep(normalised.sub(accumulated(predicted)).square().mean(-1));
    }
  }

  @Override
  public Gradients backward(Tensor x, Tensor predicted, Tensor de) {
    try (Scope scope = new Scope()) {
      Tensor wide = accumulated(x);
      var norm = NORM.forward(wide, null, EPS);
      Tensor difference = norm.y().sub(accumulated(predicted));
      Tensor g = difference.mul(de.unsqueeze(-1)).mul(scalar(2.0 / x.size(-1)));
      Tensor dx = NORM.backward(wide, null, norm.scale(), g).x();
      return new Gradients(scope.keep(as(dx, x)), scope.keep(as(g.neg(), predicted)));
    }
  }
}
