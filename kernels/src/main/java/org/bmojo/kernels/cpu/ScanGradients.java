package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.SelectiveScan.Gradients;
import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Where backward's tasks write. What several tasks contribute to is kept apart by the task's block
 * or sequence, and summed at the end in one fixed order.
 *
 * @param b (blocks, B, T, N), and {@code c} likewise
 * @param a (B, I, N)
 * @param d (B, I), and {@code deltaBias} likewise
 */
record ScanGradients(
    Floats u,
    Floats delta,
    Floats a,
    Floats b,
    Floats c,
    Floats d,
    Floats z,
    Floats deltaBias,
    Floats initial) {

  static ScanGradients allocate(ScanLayout layout, Inputs in) {
    long batch = layout.batch(), tokens = layout.tokens(), channels = layout.channels();
    long states = layout.states();
    return new ScanGradients(
        floats(in.u(), batch, tokens, channels),
        floats(in.u(), batch, tokens, channels),
        floats(in.u(), batch, channels, states),
        floats(in.u(), layout.blocks(), batch, tokens, states),
        floats(in.u(), layout.blocks(), batch, tokens, states),
        floats(in.u(), batch, channels),
        floats(in.u(), batch, tokens, channels),
        floats(in.u(), batch, channels),
        floats(in.u(), batch, channels, states));
  }

  Gradients reduced(Inputs in, Scope scope) {
    return new Gradients(
        scope.keep(as(u.owner(), in.u())),
        scope.keep(as(delta.owner(), in.delta())),
        scope.keep(a.owner().sum(0)),
        scope.keep(as(b.owner().sum(0), in.b())),
        scope.keep(as(c.owner().sum(0), in.c())),
        scope.keep(d.owner().sum(0)),
        scope.keep(as(z.owner(), in.z())),
        scope.keep(deltaBias.owner().sum(0)),
        scope.keep(initial.owner()));
  }

  private static Floats floats(Tensor like, long... shape) {
    return Floats.of(empty(like, ScalarType.Float, shape));
  }
}
