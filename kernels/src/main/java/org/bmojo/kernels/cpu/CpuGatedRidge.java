package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Objects;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The matrices are the states of SSD with keys for values too, so its walks make them forward and
 * take their gradients backward; between, {@link RidgePass} solves, which is nearly all the work.
 */
public final class CpuGatedRidge implements GatedRidge {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      HeadInputs keys = HeadInputs.of(in);
      Floats z = Floats.like(in.q());
      HeadForward.Results states;
      try (Scope walk = new Scope()) {
        states = HeadForward.all(walk, keys, in.k(), true);
      }
      Tensor checkpoints = Objects.requireNonNull(states.checkpoints());
      new RidgePass(in.solver(), keys, checkpoints).solve(Floats.of(in.q()), z);
      return new Output(
          scope.keep(as(z.owner(), in.q())),
          scope.keep(states.last()),
          forBackward ? scope.keep(checkpoints) : null);
    }
  }

  @Override
  public Gradients backward(Inputs in, Output out, Tensor dz, @Nullable Tensor dLast) {
    Tensor checkpoints = out.checkpoints();
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      HeadInputs keys = HeadInputs.of(in);
      Floats z = Floats.of(out.z()), dq = Floats.like(in.q());
      RidgePass solve = new RidgePass(in.solver(), keys, checkpoints);
      Floats along = Floats.of(zeros(keys.g().owner(), in.g().shape()));
      if (in.solver().throughLambda()) solve.solve(Floats.of(dz), dq, z, along);
      else solve.solve(Floats.of(dz), dq);
      HeadInputs walked = keys.asking(dq);
      HeadBackward pass = new HeadBackward(walked, checkpoints, z.owner().neg(), dLast, along);
      Cores.forEach(walked.layout().tasks(), pass::run);
      return new Gradients(
          scope.keep(as(dq.owner(), in.q())),
          scope.keep(as(pass.k.owner().add(pass.v.owner()), in.k())),
          scope.keep(as(pass.g.owner(), in.g())),
          scope.keep(pass.initial.owner()));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Output out = forward(new Inputs(in.solver(), in.q(), in.k(), in.g(), state), false);
      state.copy_(out.last());
      return scope.keep(out.z());
    }
  }
}
