package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;

import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Learned importance: e_j = softplus(w·x_j + b); its logarithm joins the logits and trains w. */
final class ImportanceScorer implements Scorer {
  private final Parameter weight; // (d)
  private final Parameter bias; // (1)

  ImportanceScorer(int width, Initializer init) {
    weight = Parameter.undecayed(init.normal(1 / Math.sqrt(width), width));
    bias = Parameter.undecayed(init.constant(0, 1));
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    return TorchFunction.apply(
        tape,
        t -> {
          Tensor logit = accumulated(t[0]).matmul(accumulated(t[1])).add(accumulated(t[2]));
          return torch.logaddexp(logit, torch.zeros_like(logit));
        },
        in.x(),
        weight,
        bias);
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight).add("bias", bias);
  }
}
