package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The convolution with lanes across channels, one pass over x ({@link ConvPass}). */
public final class CpuCausalConv implements CausalConv {
  @Override
  public Output forward(Inputs in) {
    try (Scope scope = new Scope()) {
      Tensor y = empty(in.x(), ScalarType.Float, in.x().size(0), in.x().size(1), in.x().size(2));
      ConvPass pass = ConvPass.of(in);
      Floats to = Floats.of(y);
      Cores.forEach(pass.tasks(), task -> pass.forward(task, to));
      return new Output(scope.keep(as(y, in.x())), scope.keep(last(in)));
    }
  }

  @Override
  public Gradients backward(Inputs in, Tensor dy) {
    try (Scope scope = new Scope()) {
      long batch = in.x().size(0), tokens = in.x().size(1), channels = in.x().size(2);
      long width = in.weight().size(1);
      ConvPass pass = ConvPass.of(in);
      Floats from = Floats.of(dy);
      Floats dx = Floats.of(empty(in.x(), ScalarType.Float, batch, tokens, channels));
      Floats dInitial = Floats.of(empty(in.x(), ScalarType.Float, batch, width - 1, channels));
      // Sums over tokens, one row for the bias and one for each tap, summed over sequences below.
      Tensor sums = empty(in.x(), ScalarType.Float, batch, width + 1, channels);
      Floats toSums = Floats.of(sums);
      Cores.forEach(pass.tasks(), task -> pass.backward(task, from, dx, dInitial, toSums));
      Tensor total = sums.sum(0); // (K + 1, I)
      Tensor bias = in.bias();
      return new Gradients(
          scope.keep(as(dx.owner(), in.x())),
          scope.keep(as(total.narrow(0, 1, width).t().contiguous(), in.weight())),
          bias == null ? null : scope.keep(as(total.select(0, 0).clone(), bias)),
          scope.keep(as(dInitial.owner(), in.x())));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Inputs from = new Inputs(in.x(), in.weight(), in.bias(), state);
      Output out = forward(from);
      state.copy_(out.last());
      return scope.keep(out.y());
    }
  }

  /** The newest K−1 inputs, of this call or of the state before it. */
  private static Tensor last(Inputs in) {
    Tensor x = in.x();
    long history = in.weight().size(1) - 1, tokens = x.size(1);
    if (tokens >= history) return x.narrow(1, tokens - history, history).clone();
    Tensor before = in.initial();
    if (before == null) before = zeros(x, x.size(0), history, x.size(2));
    return cat(1, before.narrow(1, tokens, history - tokens), x);
  }
}
