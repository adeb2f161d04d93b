package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.tape.Ops;
import org.bmojo.tape.StateOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Gated KalmaNet: each query is solved against all keys seen so far, as ridge regression would, and
 * the solution reads a decaying linear attention. Names and layout of the parameters are those of
 * published checkpoints.
 */
public final class GatedKalmaNet implements Ssm {
  /** Joins lengths and gates. */
  private static final double EPS = 1e-6;

  private final GatedKalmaNetConfig config;
  private final HeadProjections projections;
  private final Linear rate; // (E, d)
  private final HeadDecay decay;
  private final @Nullable Linear beta; // (E, d), biased
  private final @Nullable Linear alpha; // (E, d), biased

  /**
   * Fresh weights.
   *
   * @param width d
   */
  public GatedKalmaNet(GatedKalmaNetConfig config, int width, Initializer init) {
    this.config = config;
    int heads = config.heads().heads();
    projections = new HeadProjections(config.heads(), width, init);
    rate = Linear.create(init, width, heads);
    decay = HeadDecay.create(init, heads);
    beta = config.betaGate() ? Linear.create(init, width, heads, true) : null;
    alpha = config.mixed() ? Linear.create(init, width, heads, true) : null;
  }

  private record State(HeadProjections.State inputs, Owned gram, Owned memory) implements SsmState {
    @Override
    public void parts(StateParts parts) {
      parts.in("inputs", inputs).add("gram", gram).add("memory", memory);
    }

    @Override
    public void close() {
      inputs.close();
      gram.close();
      memory.close();
    }
  }

  @Override
  public SsmState newState(Positions positions) {
    try (Scope scope = new Scope()) {
      long batch = positions.batch();
      long dim = config.heads().headDim(), heads = config.heads().heads();
      Tensor like = decay.aLog().value();
      return new State(
          new HeadProjections.State(projections, batch),
          new Owned(zeros(like, batch, heads, dim, dim)),
          new Owned(zeros(like, batch, heads, dim, dim)));
    }
  }

  @Override
  public Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope()) {
      HeadProjections.State inputs = own == null ? null : own.inputs;
      Var q = unit(tape, projections.queries(tape, x, packing, inputs));
      Var k = unit(tape, projections.keys(tape, x, packing, inputs));
      Var v = projections.values(tape, x, packing, inputs);
      if (beta != null) {
        Var raw = beta.forward(tape, x);
        k = weighted(tape, k, raw);
        v = weighted(tape, v, raw);
      }
      Var steps = decay.steps(tape, rate.forward(tape, x), 0, Double.POSITIVE_INFINITY);
      Var never = Var.constant(zeros(steps.value(), steps.value().shape()));
      Var g = config.forgets() ? decay.logDecay(tape, steps) : never;
      Tensor begin = Packing.begin(packing);
      if (config.iterations() > 0) {
        var solver =
            new GatedRidge.Solver(config.ridge(), config.iterations(), config.throughLambda());
        Var ofMatrix = config.matrixForgets() ? g : never;
        Var z =
            StateOps.gatedRidge(tape, solver, q, k, ofMatrix, own == null ? null : own.gram, begin);
        q = alpha == null ? z : mixed(tape, q, z, alpha.forward(tape, x));
      }
      Var read = StateOps.ssd(tape, q, k, v, g, own == null ? null : own.memory, begin);
      if (config.scaled()) {
        read = Ops.scale(tape, read, 1 / Math.sqrt(config.heads().headDim()));
      }
      Var out = projections.output(tape, read, x);
      scope.keep(out.value());
      return out;
    }
  }

  /** x / (‖x‖ + eps) per head. */
  private static Var unit(Tape tape, Var heads) {
    return TorchFunction.apply(
        tape,
        t -> {
          Tensor wide = accumulated(t[0]);
          Tensor length = wide.norm(new ScalarOptional(scalar(2)), new long[] {-1}, true);
          return wide.div(length.add(scalar(EPS))).to(t[0].scalar_type());
        },
        heads);
  }

  /** x · (σ(raw) + eps) per head. */
  private static Var weighted(Tape tape, Var heads, Var raw) {
    return TorchFunction.apply(
        tape, t -> t[0].mul(t[1].sigmoid().add(scalar(EPS)).unsqueeze(-1)), heads, raw);
  }

  /** q + σ(raw)·(z − q). */
  private static Var mixed(Tape tape, Var q, Var z, Var raw) {
    return TorchFunction.apply(
        tape, t -> t[0].add(t[2].sigmoid().unsqueeze(-1).mul(t[1].sub(t[0]))), q, z, raw);
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
    names.in("a_proj", rate);
    decay.name(names);
    names.in("b_proj", beta).in("alpha_proj", alpha);
  }
}
