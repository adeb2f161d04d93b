package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.StateOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Gated DeltaNet: a decaying state that corrects, rather than adds to, what it says about a key.
 * Names and layout of the parameters are those of published checkpoints.
 */
public final class GatedDeltaNet implements Ssm {
  private static final double LENGTH_EPS = 1e-6;

  private final GatedDeltaNetConfig config;
  private final HeadProjections projections;
  private final Linear beta; // (E, d)
  private final Linear rate; // (E, d)
  private final HeadDecay decay;

  /**
   * Fresh weights.
   *
   * @param width d
   */
  public GatedDeltaNet(GatedDeltaNetConfig config, int width, Initializer init) {
    this.config = config;
    projections = new HeadProjections(config.heads(), width, init);
    beta = Linear.create(init, width, config.heads().heads());
    rate = Linear.create(init, width, config.heads().heads());
    decay = HeadDecay.create(init, config.heads().heads());
  }

  private record State(HeadProjections.State inputs, Owned delta) implements SsmState {
    @Override
    public void parts(StateParts parts) {
      parts.in("inputs", inputs).add("delta", delta);
    }

    @Override
    public void close() {
      inputs.close();
      delta.close();
    }
  }

  @Override
  public SsmState newState(Positions positions) {
    try (Scope scope = new Scope()) {
      long batch = positions.batch();
      long dim = config.heads().headDim();
      Tensor empty = zeros(decay.aLog().value(), batch, config.heads().heads(), dim, dim);
      return new State(new HeadProjections.State(projections, batch), new Owned(empty));
    }
  }

  @Override
  public Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope()) {
      HeadProjections.State inputs = own == null ? null : own.inputs;
      int dim = config.heads().headDim();
      double reach = config.negativeEigenvalues() ? 2 : 1;
      Var strength =
          TorchFunction.apply(tape, t -> t[0].sigmoid().mul(scalar(reach)), beta.forward(tape, x));
      Var steps = decay.steps(tape, rate.forward(tape, x), 0, Double.POSITIVE_INFINITY);
      Var q = unit(tape, projections.queries(tape, x, packing, inputs));
      Var y =
          StateOps.gatedDelta(
              tape,
              Ops.scale(tape, q, 1 / Math.sqrt(dim)),
              unit(tape, projections.keys(tape, x, packing, inputs)),
              projections.values(tape, x, packing, inputs),
              strength,
              decay.logDecay(tape, steps),
              own == null ? null : own.delta,
              Packing.begin(packing));
      Var out = projections.output(tape, y, x);
      scope.keep(out.value());
      return out;
    }
  }

  /** x / √(Σx² + eps) per head, which is an RMSNorm but for the factor √D. */
  private Var unit(Tape tape, Var heads) {
    double dim = config.heads().headDim();
    Var even = KernelOps.rmsNorm(tape, heads, null, LENGTH_EPS / dim);
    return Ops.scale(tape, even, 1 / Math.sqrt(dim));
  }

  @Override
  public Tensor step(Tensor x, SsmState state) {
    try (Tape tape = Tape.off()) {
      return forward(tape, Var.constant(x), state).value();
    }
  }

  @Override
  public void name(Names names) {
    projections.name(names);
    names.in("b_proj", beta).in("gk_proj", rate);
    decay.name(names);
  }
}
