package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Learned importance: e_j = softplus(w·x_j + u·rms(y_j) + b), with or without the term in the
 * state's output; its logarithm joins the logits, which trains all of them.
 */
final class ImportanceScorer implements Scorer {
  private final Parameter weight; // (d)
  private final @Nullable Parameter stateWeight; // (d)
  private final Parameter bias; // (1)

  /**
   * @param contextual whether the score reads the state's output too
   */
  ImportanceScorer(int width, boolean contextual, Initializer init) {
    weight = Parameter.undecayed(init.normal(1 / Math.sqrt(width), width));
    stateWeight = contextual ? Parameter.undecayed(init.normal(1 / Math.sqrt(width), width)) : null;
    bias = Parameter.undecayed(init.constant(0, 1));
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    List<Var> inputs = new ArrayList<>(List.of(in.x(), weight, bias));
    if (stateWeight != null) {
      Var y = in.y();
      if (y == null) throw new IllegalStateException("contextual importance reads the state");
      // As loud as x, whatever the state has grown to.
      inputs.add(KernelOps.rmsNorm(tape, y, null, InnovationScore.EPS));
      inputs.add(stateWeight);
    }
    return TorchFunction.apply(
        tape,
        t -> {
          Tensor logit = dot(t[0], t[1]).add(accumulated(t[2]));
          if (t.length > 3) logit = logit.add(dot(t[3], t[4]));
          return torch.logaddexp(logit, torch.zeros_like(logit));
        },
        inputs.toArray(Var[]::new));
  }

  private static Tensor dot(Tensor x, Tensor weight) {
    return accumulated(x).matmul(accumulated(weight));
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight).add("state_weight", stateWeight).add("bias", bias);
  }
}
