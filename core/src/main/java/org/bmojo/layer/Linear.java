package org.bmojo.layer;

import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * y = x · weightᵀ (+ bias).
 *
 * @param weight (out, in)
 * @param bias (out), or null
 */
public record Linear(Parameter weight, @Nullable Parameter bias) implements Names.Named {
  /** Normal weights with deviation 1/√in, no bias. */
  public static Linear create(Initializer init, long in, long out) {
    return new Linear(Parameter.decaying(init.normal(1 / Math.sqrt(in), out, in)), null);
  }

  /** The same, with a bias of zeros if {@code biased}. */
  public static Linear create(Initializer init, long in, long out, boolean biased) {
    Linear plain = create(init, in, out);
    if (!biased) return plain;
    return new Linear(plain.weight, Parameter.undecayed(init.constant(0, out)));
  }

  /** The last of a residual branch: {@link Initializer#forBranches smaller} in deep models. */
  public static Linear output(Initializer init, long in, long out, boolean biased) {
    Tensor weight = init.normal(init.outputs() / Math.sqrt(in), out, in);
    Parameter bias = biased ? Parameter.undecayed(init.constant(0, out)) : null;
    return new Linear(Parameter.decaying(weight), bias);
  }

  /** (…, in) → (…, out). */
  public Var forward(Tape tape, Var x) {
    return Ops.linear(tape, x, weight, bias);
  }

  @Override
  public void name(Names names) {
    names.add("weight", weight).add("bias", bias);
  }
}
