package org.bmojo.tape;

import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Owned;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Recurrences as operations of the tape, in all three forms: without a state for whole sequences,
 * with one for any part of them, and by their step where that part is one token and nothing is
 * recorded. A state is advanced; it is a constant to gradients.
 */
public final class StateOps {
  private StateOps() {}

  private static boolean steps(Tape tape, Tensor like, @Nullable Owned state) {
    return state != null && !tape.isRecording() && like.size(1) == 1;
  }

  private static @Nullable Tensor of(@Nullable Owned state) {
    return state == null ? null : state.get();
  }

  /**
   * {@link CausalConv} with {@code state} (B, K−1, I); {@code bias} and {@code begin} may be null.
   */
  public static Var causalConv(
      Tape tape,
      Var x,
      Var weight,
      @Nullable Var bias,
      @Nullable Owned state,
      @Nullable Tensor begin) {
    if (state != null && begin == null && steps(tape, x.value(), state)) {
      Tensor b = bias == null ? null : bias.value();
      var in = new CausalConv.Inputs(x.value(), weight.value(), b, null);
      return Var.constant(Kernels.of(x.value()).causalConv().step(in, state.get()));
    }
    KernelOps.WithState out = KernelOps.causalConv(tape, x, weight, bias, of(state), begin);
    if (state != null) state.set(out.last());
    return out.y();
  }

  /** {@link Ssd} with {@code state} (B, H, N, P); {@code begin} may be null. */
  public static Var ssd(
      Tape tape, Var q, Var k, Var v, Var g, @Nullable Owned state, @Nullable Tensor begin) {
    Ssd op = Kernels.of(q.value()).ssd();
    Tensor initial = of(state);
    var in = new Ssd.Inputs(q.value(), k.value(), v.value(), g.value(), initial, begin);
    if (state != null && begin == null && steps(tape, in.q(), state)) {
      return Var.constant(op.step(in, state.get()));
    }
    Ssd.Output out = op.forward(in, tape.isRecording());
    Var y =
        tape.record(
            out.y(),
            inputs(q, k, v, g),
            keeping(in.q(), in.k(), in.v(), in.g(), initial, begin, out.checkpoints()),
            dy -> {
              Ssd.Gradients d = op.backward(in, out.checkpoints(), dy, null);
              q.giveGradient(d.q());
              k.giveGradient(d.k());
              v.giveGradient(d.v());
              g.giveGradient(d.g());
            });
    if (state != null) state.set(out.last());
    return y;
  }

  /** {@link GatedDelta} with {@code state} (B, H, N, P); {@code begin} may be null. */
  public static Var gatedDelta(
      Tape tape,
      Var q,
      Var k,
      Var v,
      Var beta,
      Var g,
      @Nullable Owned state,
      @Nullable Tensor begin) {
    GatedDelta op = Kernels.of(q.value()).gatedDelta();
    Tensor initial = of(state);
    var in =
        new GatedDelta.Inputs(
            q.value(), k.value(), v.value(), beta.value(), g.value(), initial, begin);
    if (state != null && begin == null && steps(tape, in.q(), state)) {
      return Var.constant(op.step(in, state.get()));
    }
    GatedDelta.Output out = op.forward(in, tape.isRecording());
    Var y =
        tape.record(
            out.y(),
            inputs(q, k, v, beta, g),
            keeping(in.q(), in.k(), in.v(), in.beta(), in.g(), initial, begin, out.checkpoints()),
            dy -> {
              GatedDelta.Gradients d = op.backward(in, out.checkpoints(), dy, null);
              q.giveGradient(d.q());
              k.giveGradient(d.k());
              v.giveGradient(d.v());
              beta.giveGradient(d.beta());
              g.giveGradient(d.g());
            });
    if (state != null) state.set(out.last());
    return y;
  }

  /** {@link GatedRidge} with {@code state} (B, H, D, D); {@code begin} may be null. */
  public static Var gatedRidge(
      Tape tape,
      GatedRidge.Solver solver,
      Var q,
      Var k,
      Var g,
      @Nullable Owned state,
      @Nullable Tensor begin) {
    GatedRidge op = Kernels.of(q.value()).gatedRidge();
    Tensor initial = of(state);
    var in = new GatedRidge.Inputs(solver, q.value(), k.value(), g.value(), initial, begin);
    if (state != null && begin == null && steps(tape, in.q(), state)) {
      return Var.constant(op.step(in, state.get()));
    }
    GatedRidge.Output out = op.forward(in, tape.isRecording());
    Var z =
        tape.record(
            out.z(),
            inputs(q, k, g),
            keeping(in.q(), in.k(), in.g(), initial, begin, out.z(), out.checkpoints()),
            dz -> {
              GatedRidge.Gradients d = op.backward(in, out, dz, null);
              q.giveGradient(d.q());
              k.giveGradient(d.k());
              g.giveGradient(d.g());
            });
    if (state != null) state.set(out.last());
    return z;
  }
}
