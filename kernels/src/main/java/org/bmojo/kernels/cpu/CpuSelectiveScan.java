package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The scan with a vector's lanes across channels: the N states of 16 channels are N vectors that
 * stay in the first-level cache from the first token to the last, b_t and c_t are broadcast, and
 * nothing of size (B, T, I, N) exists. {@link ScanLayout} says how the work is cut.
 *
 * <p>Backward walks the tokens in pieces from the last to the first. Forward left the state at
 * every piece's start; the states inside are computed again, the exponentials with them, which
 * costs half as much again as forward and saves reading and writing N times the activations.
 */
public final class CpuSelectiveScan implements SelectiveScan {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      ScanLayout layout = ScanLayout.of(in);
      ScanInputs from = ScanInputs.of(in, layout);
      Floats y = floats(in.u(), layout.batch(), layout.tokens(), layout.channels());
      Floats last = floats(in.a(), layout.batch(), layout.channels(), layout.states());
      Floats checkpoints = forBackward ? floats(in.a(), layout.checkpoints()) : null;
      Cores.forEach(
          layout.tasks(), task -> new ScanForward(task, layout, from, y, last, checkpoints).run());
      return new Output(
          scope.keep(as(y.owner(), in.u())),
          scope.keep(last.owner()),
          checkpoints == null ? null : scope.keep(checkpoints.owner()));
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      ScanLayout layout = ScanLayout.of(in);
      ScanGradients out = ScanGradients.allocate(layout, in);
      ScanInputs from = ScanInputs.of(in, layout);
      Floats starts = Floats.of(checkpoints), gradient = Floats.of(dy);
      Floats seed = dLast == null ? null : Floats.of(dLast);
      Cores.forEach(
          layout.tasks(),
          task -> new ScanBackward(task, layout, from, starts, gradient, seed, out).run());
      return out.reduced(in, scope);
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Inputs from =
          new Inputs(
              in.u(), in.delta(), in.a(), in.b(), in.c(), in.d(), in.z(), in.deltaBias(), state);
      Output out = forward(from, false);
      state.copy_(out.last());
      return scope.keep(out.y());
    }
  }

  private static Floats floats(Tensor like, long... shape) {
    return Floats.of(empty(like, ScalarType.Float, shape));
  }
}
