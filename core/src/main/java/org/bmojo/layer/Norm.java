package org.bmojo.layer;

import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;

/**
 * RMSNorm over the last axis.
 *
 * @param weight (d) gain
 * @param eps added to the mean square
 */
public record Norm(Parameter weight, double eps) implements Names.Named {
  /** Gain 1. */
  public static Norm create(Initializer init, long width, double eps) {
    return new Norm(Parameter.undecayed(init.constant(1, width)), eps);
  }

  /** (…, d) → (…, d). */
  public Var forward(Tape tape, Var x) {
    return KernelOps.rmsNorm(tape, x, weight, eps);
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight);
  }
}
