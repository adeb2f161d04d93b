package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.torch.Tensors.as;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/** silu(gate) · up, each tensor read or written once. */
public final class CpuSwiGlu implements SwiGlu {
  /** Elements of a task. */
  private static final long GRAIN = 1 << 14;

  @Override
  public Tensor forward(Tensor gate, Tensor up) {
    try (Scope scope = new Scope()) {
      Floats g = Floats.of(gate), u = Floats.of(up), y = Floats.like(gate);
      Cores.forRanges(gate.numel(), GRAIN, (from, to) -> forward(g, u, y, from, to));
      return scope.keep(as(y.owner(), gate));
    }
  }

  private static void forward(Floats gate, Floats up, Floats y, long from, long to) {
    for (long i = from; i < to; i += LANES) {
      int rest = (int) (to - i);
      FloatVector g = load(gate, i, rest);
      store(g.mul(VectorMath.sigmoid(g)).mul(load(up, i, rest)), y, i, rest);
    }
  }

  @Override
  public Gradients backward(Tensor gate, Tensor up, Tensor dy) {
    try (Scope scope = new Scope()) {
      Floats g = Floats.of(gate), u = Floats.of(up), d = Floats.of(dy);
      Floats dGate = Floats.like(gate), dUp = Floats.like(up);
      Cores.forRanges(gate.numel(), GRAIN, (from, to) -> backward(g, u, d, dGate, dUp, from, to));
      return new Gradients(scope.keep(as(dGate.owner(), gate)), scope.keep(as(dUp.owner(), up)));
    }
  }

  private static void backward(
      Floats gate, Floats up, Floats dy, Floats dGate, Floats dUp, long from, long to) {
    for (long i = from; i < to; i += LANES) {
      int rest = (int) (to - i);
      FloatVector g = load(gate, i, rest), d = load(dy, i, rest);
      FloatVector sigmoid = VectorMath.sigmoid(g);
      // silu'(g) = σ(g)·(1 + g·(1 − σ(g)))
      FloatVector slope = sigmoid.mul(g.fma(all(1f).sub(sigmoid), all(1f)));
      store(d.mul(load(up, i, rest)).mul(slope), dGate, i, rest);
      store(d.mul(g).mul(sigmoid), dUp, i, rest);
    }
  }
}
