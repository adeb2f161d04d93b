package org.bmojo.layer;

import org.bmojo.kernels.Kernels;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;

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

  /**
   * Gives {@code y}, made of {@code x} here, back where the tape is told to: it is soon made again.
   */
  public void spare(Tape tape, Var x, Var y) {
    Tensor input = x.value(), gain = weight.value();
    tape.spare(
        y,
        Tape.keeping(input, gain),
        () -> Kernels.of(input).rmsNorm().forward(input, gain, eps).y());
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight);
  }
}
