package org.bmojo.layer;

import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;

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
    Var gated = KernelOps.swiGlu(tape, gate.forward(tape, x), up.forward(tape, x));
    return down.forward(tape, gated);
  }

  @Override
  public void name(Names names) {
    names.in("gate_proj", gate).in("up_proj", up).in("down_proj", down);
  }
}
