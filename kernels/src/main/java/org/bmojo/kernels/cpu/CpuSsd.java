package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;

import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The recurrence as it is written, a task for each sequence and head: with N and P of 64 it takes
 * as many multiplications as the matrix products of chunks would, and no sum of logarithms has to
 * be undone for the decays' gradient. {@link HeadPiece} says how a state stays in registers, {@link
 * HeadReverse} what backward computes from the states that forward left before every piece.
 */
public final class CpuSsd implements Ssd {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      var all = HeadForward.all(scope, HeadInputs.of(in), in.v(), forBackward);
      return new Output(all.y(), all.last(), all.checkpoints());
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      HeadInputs from = HeadInputs.of(in);
      HeadBackward pass = new HeadBackward(from, checkpoints, dy, dLast);
      Cores.forEach(from.layout().tasks(), pass::run);
      return new Gradients(
          scope.keep(as(pass.q.owner(), in.q())),
          scope.keep(as(pass.k.owner(), in.k())),
          scope.keep(as(pass.v.owner(), in.v())),
          scope.keep(as(pass.g.owner(), in.g())),
          scope.keep(pass.initial.owner()));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Output out = forward(new Inputs(in.q(), in.k(), in.v(), in.g(), state), false);
      state.copy_(out.last());
      return scope.keep(out.y());
    }
  }
}
