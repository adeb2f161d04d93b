package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * One running softmax over window, fading and eidetic keys, in tiles of queries against blocks of
 * keys: logits exist for one tile and one block at a time. Time is O(T·(W + F + E)); memory beside
 * inputs and outputs is constant for each core, and O(T) in the backward pass.
 */
public final class CpuMemoryAttention implements MemoryAttention {
  @Override
  public Output forward(Inputs in) {
    try (Scope scope = new Scope()) {
      AttentionShape shape = AttentionShape.of(in);
      Tensor out = empty(in.q(), ScalarType.Float, Shapes.of(in.q()));
      long[] perQuery = {shape.batch(), shape.tokens(), shape.heads()};
      Tensor logSumExp = empty(in.q(), ScalarType.Float, perQuery);
      ForwardPass pass = new ForwardPass(in, shape, out, logSumExp);
      Cores.forEach(pass.tasks(), pass::run);
      return new Output(scope.keep(as(out, in.q())), scope.keep(logSumExp));
    }
  }

  @Override
  public Gradients backward(Inputs in, Output forward, Tensor dOut) {
    Shapes.expect("memory attention backward", "dOut", dOut, Shapes.of(in.q()));
    try (Scope scope = new Scope()) {
      BackwardPass pass = new BackwardPass(in, AttentionShape.of(in), forward, dOut);
      Cores.forEach(pass.tasks(), pass::run);
      return new Gradients(
          scope.keep(as(pass.queries, in.q())),
          keep(pass.window, in.window(), scope),
          pass.fading == null || in.fading() == null ? null : keep(pass.fading, in.fading(), scope),
          pass.sets == null || in.eidetic() == null
              ? null
              : keep(pass.sets.sums, in.eidetic(), scope));
    }
  }

  private static Stream keep(StreamGradient gradient, Stream like, Scope scope) {
    Stream sum = gradient.sum();
    return new Stream(scope.keep(as(sum.k(), like.k())), scope.keep(as(sum.v(), like.v())));
  }

  private static Eidetic keep(Eidetic sums, Eidetic like, Scope scope) {
    return new Eidetic(
        scope.keep(as(sums.q(), like.q())),
        scope.keep(as(sums.k(), like.k())),
        scope.keep(as(sums.v(), like.v())),
        scope.keep(as(sums.bias(), like.bias())));
  }

  @Override
  public Tensor step(StepInputs in) {
    try (Scope scope = new Scope()) {
      Tensor out = empty(in.q(), ScalarType.Float, Shapes.of(in.q()));
      StepPass pass = new StepPass(in, out);
      Cores.forEach(pass.tasks(), pass::run);
      return scope.keep(as(out, in.q()));
    }
  }
}
