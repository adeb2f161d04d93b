package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.token.Weigh;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.RowDots;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Learned importance: e_j = softplus(w·x_j + u·rms(y_j) + b), with or without the term in the
 * state's output; its logarithm joins the logits, which trains all of them.
 */
final class ImportanceScorer implements Scorer {
  final Parameter weight; // (d)
  final @Nullable Parameter stateWeight; // (d)
  final Parameter bias; // (1)

  /**
   * @param contextual whether the score reads the state's output too
   * @param initialBias where b starts
   */
  ImportanceScorer(int width, boolean contextual, double initialBias, Initializer init) {
    weight = Parameter.undecayed(init.normal(1 / Math.sqrt(width), width));
    stateWeight = contextual ? Parameter.undecayed(init.normal(1 / Math.sqrt(width), width)) : null;
    bias = Parameter.undecayed(init.constant(initialBias, 1));
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    try (Scope scope = new Scope()) {
      List<Var> terms = new ArrayList<>(List.of(RowDots.of(tape, in.x(), weight)));
      if (stateWeight != null) {
        Var y = in.y();
        if (y == null) throw new IllegalStateException("contextual importance reads the state");
        // As loud as x, whatever the state has grown to.
        Var even = KernelOps.rmsNorm(tape, y, null, InnovationScore.EPS);
        terms.add(RowDots.of(tape, even, stateWeight));
      }
      Tensor logit = accumulated(bias.value());
      for (Var t : terms) logit = logit.add(t.value());
      List<Var> inputs = new ArrayList<>(terms);
      inputs.add(bias);
      Tensor last = logit; // (B, T)
      return tape.record(
          scope.keep(torch.logaddexp(logit, torch.zeros_like(logit))),
          inputs,
          List.of(logit),
          de -> {
            Tensor slope = de.mul(last.sigmoid());
            terms.forEach(t -> t.addGradient(slope));
            bias.giveGradient(as(slope.sum().reshape(1), bias.value()));
          });
    }
  }

  @Override
  public boolean plans() {
    return true;
  }

  @Override
  public Stages plan(TokenPlan plan, float[] x, float @Nullable [] y, Place scores, Place history) {
    int width = plan.width();
    Weigh.Term term = null;
    if (stateWeight != null) {
      if (y == null) throw new IllegalStateException("contextual importance reads the state");
      term = new Weigh.Term(y, plan.numbers(stateWeight, width));
    }
    float[] w = plan.numbers(weight, width), b = plan.numbers(bias, 1);
    return Stages.just(new Weigh(x, w, b, term, width, plan.moment(), scores));
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight).add("state_weight", stateWeight).add("bias", bias);
  }
}
