package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Forgetting at a rate that each token sets for each head: Δ = softplus(raw + bias), and what is
 * left after the token is exp(−exp(A_log)·Δ). Both parameters stay float32 in narrower models.
 *
 * @param aLog (H)
 * @param bias (H)
 */
record HeadDecay(Parameter aLog, Parameter bias) implements Names.Named {
  /** A uniform in (0, 16], softplus(bias) log-uniform in [1e-3, 1e-1], as published. */
  static HeadDecay create(Initializer init, long heads) {
    Tensor delta = init.uniform(Math.log(1e-3), Math.log(1e-1), heads).exp();
    return new HeadDecay(
        Parameter.undecayed(wide(init.uniform(1e-4, 16, heads).log())),
        Parameter.undecayed(wide(delta.expm1().log()))); // softplus⁻¹
  }

  /** float32, or float64 where the model is. */
  static Tensor wide(Tensor t) {
    return t.scalar_type().intern() == ScalarType.Double ? t : t.to(ScalarType.Float);
  }

  /** Step sizes Δ, (B, T, H), float32 or float64, kept within limits. */
  Var steps(Tape tape, Var raw, double low, double high) {
    return TorchFunction.apply(
        tape,
        t -> {
          Tensor sum = accumulated(t[0]).add(t[1]);
          // Not libtorch's softplus, whose cut at 20 costs float64 its last digits.
          Tensor delta = torch.logaddexp(sum, torch.zeros_like(sum));
          if (low == 0 && high == Double.POSITIVE_INFINITY) return delta;
          return delta.clamp(
              new ScalarOptional(new Scalar(low)), new ScalarOptional(new Scalar(high)));
        },
        raw,
        bias);
  }

  /** Logarithms of the decays, −exp(A_log)·Δ, (B, T, H). */
  Var logDecay(Tape tape, Var steps) {
    return TorchFunction.apply(tape, t -> t[0].mul(t[1].exp()).mul(scalar(-1)), steps, aLog);
  }

  @Override
  public void name(Names names) {
    names.add("A_log", aLog).add("dt_bias", bias);
  }
}
