package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * As innovation, but predicted without a state: x̂_j = Σ_m w_m · rms(x_{j−m}) over the last four
 * tokens, channel by channel, trained by the mean of e with x held constant.
 */
final class FilterScorer implements Scorer {
  private static final int WIDTH = 4;
  private final Parameter weight; // (d, 4), oldest first
  private final boolean differentiable;

  FilterScorer(int width, boolean differentiable, Initializer init) {
    weight = Parameter.undecayed(init.uniform(-0.5, 0.5, width, WIDTH));
    this.differentiable = differentiable;
  }

  @Override
  public Tensor history(long batch) {
    return zeros(weight.value(), batch, WIDTH, weight.value().size(0));
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    try (Scope scope = new Scope()) {
      Tensor x = in.x().value();
      Tensor past = in.history() == null ? history(x.size(0)) : in.history().get();
      Var own = score(tape, in.x().detached(), past, in.packing());
      tape.addLoss(Ops.mean(tape, own));
      Var used = own.detached();
      if (differentiable && tape.isRecording()) used = score(tape, in.x(), past, in.packing());
      if (in.history() != null) {
        in.history().set(cat(1, past, x).narrow(1, x.size(1), WIDTH).clone());
      }
      scope.keep(used.value());
      return used;
    }
  }

  private static Tensor tap(Tensor padded, long m, long tokens, @Nullable Packing packing) {
    Tensor earlier = padded.narrow(1, m, tokens);
    return packing == null ? earlier : packing.own(earlier, WIDTH - m);
  }

  private Var score(Tape tape, Var x, Tensor past, @Nullable Packing packing) {
    // The filter reads normalised inputs; zeros before the first token stay zeros.
    Tensor before = Kernels.of(past).rmsNorm().forward(past, null, InnovationScore.EPS).y();
    Var normalised = KernelOps.rmsNorm(tape, x, null, InnovationScore.EPS);
    long tokens = x.value().size(1);
    Var predicted =
        TorchFunction.apply(
            tape,
            t -> {
              Tensor padded = cat(1, accumulated(before), accumulated(t[0])); // (B, 4+T, d)
              Tensor w = accumulated(t[1]);
              Tensor sum = tap(padded, 0, tokens, packing).mul(w.select(1, 0));
              for (int m = 1; m < WIDTH; m++) {
                sum = sum.add(tap(padded, m, tokens, packing).mul(w.select(1, m)));
              }
              return sum.to(t[0].scalar_type());
            },
            normalised,
            weight);
    return KernelOps.innovationScore(tape, x, predicted);
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight);
  }
}
