package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.Documents;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The sum of K shifted products. */
public final class ReferenceCausalConv implements CausalConv {
  @Override
  public Output forward(Inputs in) {
    try (Scope scope = new Scope()) {
      Tensor padded = padded(in); // (B, K−1+T, I)
      long history = in.weight().size(1) - 1;
      Tensor last = padded.narrow(1, in.x().size(1), history).clone();
      Tensor y = torch.silu(linear(in, accumulated(padded)));
      return new Output(scope.keep(as(y, in.x())), scope.keep(last));
    }
  }

  @Override
  public Gradients backward(Inputs in, Tensor dy) {
    try (Scope scope = new Scope()) {
      long tokens = in.x().size(1), width = in.weight().size(1);
      Tensor padded = accumulated(padded(in));
      Tensor linear = linear(in, padded);
      Tensor sigmoid = linear.sigmoid();
      Tensor one = torch.ones_like(sigmoid);
      Tensor g = accumulated(dy).mul(sigmoid.mul(one.add(linear.mul(one.sub(sigmoid)))));
      Tensor weight = accumulated(in.weight());
      Tensor dPadded = torch.zeros_like(padded);
      Tensor[] dWeight = new Tensor[(int) width];
      for (int m = 0; m < width; m++) {
        Tensor seen = seen(in, g, m);
        dPadded.narrow(1, m, tokens).add_(seen.mul(weight.select(1, m)));
        dWeight[m] = seen.mul(padded.narrow(1, m, tokens)).sum(0, 1);
      }
      Tensor dx = dPadded.narrow(1, width - 1, tokens);
      return new Gradients(
          scope.keep(as(dx, in.x()).contiguous()),
          scope.keep(as(stack(1, dWeight), in.weight())),
          in.bias() == null ? null : scope.keep(as(g.sum(0, 1), in.bias())),
          scope.keep(as(dPadded.narrow(1, 0, width - 1), in.x()).contiguous()));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Tensor padded = cat(1, state, in.x()); // (B, K, I)
      Tensor y = torch.silu(linear(in, accumulated(padded)));
      state.copy_(padded.narrow(1, 1, state.size(1)));
      return scope.keep(as(y, in.x()));
    }
  }

  private static Tensor padded(Inputs in) {
    Tensor before = in.initial();
    if (before == null) {
      before = zeros(in.x(), in.x().size(0), in.weight().size(1) - 1, in.x().size(2));
    }
    return cat(1, before, in.x());
  }

  private static Tensor linear(Inputs in, Tensor padded) {
    Tensor weight = accumulated(in.weight());
    long tokens = in.x().size(1);
    Tensor sum = seen(in, padded.narrow(1, 0, tokens), 0).mul(weight.select(1, 0));
    for (int m = 1; m < weight.size(1); m++) {
      sum = sum.add(seen(in, padded.narrow(1, m, tokens), m).mul(weight.select(1, m)));
    }
    return in.bias() == null ? sum : sum.add(accumulated(in.bias()));
  }

  /** What tokens (B, T, I) have to do with tap m: zero where it reaches into another document. */
  private static Tensor seen(Inputs in, Tensor t, long m) {
    if (in.begin() == null) return t;
    Tensor sees = Documents.sees(in.begin(), in.weight().size(1) - 1 - m);
    return t.masked_fill(sees.logical_not().unsqueeze(-1), scalar(0));
  }
}
