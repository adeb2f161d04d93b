package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.StateOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A causal depthwise convolution over a few tokens, then silu.
 *
 * @param weight (I, K)
 * @param bias (I), or null
 */
record ShortConvolution(Parameter weight, @Nullable Parameter bias) implements Names.Named {
  static ShortConvolution create(Initializer init, long channels, int taps, boolean biased) {
    double bound = 1 / Math.sqrt(taps);
    return new ShortConvolution(
        Parameter.undecayed(init.uniform(-bound, bound, channels, taps)),
        biased ? Parameter.undecayed(init.uniform(-bound, bound, channels)) : null);
  }

  /**
   * The inputs before the first token, (B, K−1, I).
   *
   * @param like gives their type, which in mixed precision is not the weights'
   */
  Owned newState(long batch, Tensor like) {
    try (Scope scope = new Scope()) {
      return new Owned(zeros(like, batch, weight.value().size(1) - 1, channels()));
    }
  }

  long channels() {
    return weight.value().size(0);
  }

  /** (B, T, I) → (B, T, I). */
  Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable Owned state) {
    Tensor begin = Packing.begin(packing);
    return StateOps.causalConv(tape, x, weight, bias, state, begin);
  }

  /**
   * Gives {@code y}, made of {@code x} here without a state, back where the tape is told to: it is
   * soon made again.
   */
  void spare(Tape tape, Var x, Var y, @Nullable Packing packing) {
    Tensor b = bias == null ? null : bias.value();
    var in = new CausalConv.Inputs(x.value(), weight.value(), b, null, Packing.begin(packing));
    tape.spare(
        y,
        Tape.keeping(in.x(), in.weight(), in.bias(), in.begin()),
        () -> Kernels.of(in.x()).causalConv().forward(in).y());
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight).add("bias", bias);
  }
}
