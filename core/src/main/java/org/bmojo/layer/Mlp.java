package org.bmojo.layer;

import org.bmojo.kernels.Kernels;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;

/**
 * SwiGLU perceptron (Shazeer 2020): down(silu(gate(x)) · up(x)).
 *
 * @param gate (inner, d)
 * @param up (inner, d)
 * @param down (d, inner)
 */
public record Mlp(Linear gate, Linear up, Linear down) implements Names.Named {
  /** Fresh weights. */
  public static Mlp create(Initializer init, long width, long inner, boolean biased) {
    return new Mlp(
        Linear.create(init, width, inner, biased),
        Linear.create(init, width, inner, biased),
        Linear.output(init, inner, width, biased));
  }

  /** (B, T, d) → (B, T, d). */
  public Var forward(Tape tape, Var x) {
    Var opened = gate.forward(tape, x), raised = up.forward(tape, x);
    Var gated = KernelOps.swiGlu(tape, opened, raised);
    Var y = down.forward(tape, gated);
    Tensor g = opened.value(), u = raised.value();
    tape.spare(gated, Tape.keeping(g, u), () -> Kernels.of(g).swiGlu().forward(g, u));
    return y;
  }

  @Override
  public void name(Names names) {
    names.in("gate_proj", gate).in("up_proj", up).in("down_proj", down);
  }
}
