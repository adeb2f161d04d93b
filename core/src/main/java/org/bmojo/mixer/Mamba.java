package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.zeros;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Mamba (Gu and Dao 2023): in-projection to input and gate, short causal convolution, selective
 * scan, gate, out-projection. Names and layout of the parameters are those of published
 * checkpoints.
 */
public final class Mamba implements Ssm {
  private final int channels; // I
  private final int states; // N
  private final int rank;
  private final Linear inProj; // (2I, d): input, then gate
  private final Parameter convWeight; // (I, K)
  private final Parameter convBias; // (I)
  private final Linear xProj; // (rank + 2N, I)
  private final Linear dtProj; // (I, rank), bias used as Δ-bias
  private final Parameter dtBias; // (I)
  private final Parameter aLog; // (I, N)
  private final Parameter skip; // (I)
  private final Linear outProj; // (d, I)

  /**
   * Fresh weights: A = −(1…N) per channel, softplus(Δ-bias) log-uniform in [1e-3, 1e-1], D = 1.
   *
   * @param width d
   */
  public Mamba(MambaConfig config, int width, Initializer init) {
    channels = config.expand() * width;
    states = config.stateSize();
    rank = config.stepRank(width);
    int k = config.convolution();
    inProj = Linear.create(init, width, 2L * channels);
    double bound = 1 / Math.sqrt(k);
    convWeight = Parameter.undecayed(init.uniform(-bound, bound, channels, k));
    convBias = Parameter.undecayed(init.uniform(-bound, bound, channels));
    xProj = Linear.create(init, channels, rank + 2L * states);
    double step = 1 / Math.sqrt(rank);
    dtProj = new Linear(Parameter.decaying(init.uniform(-step, step, channels, rank)), null);
    Tensor delta = init.uniform(Math.log(1e-3), Math.log(1e-1), channels).exp();
    dtBias = Parameter.undecayed(wide(delta.expm1().log())); // softplus⁻¹
    aLog = Parameter.undecayed(wide(init.counting(channels, states).log()));
    skip = Parameter.undecayed(wide(init.constant(1, channels)));
    outProj = Linear.create(init, channels, width);
  }

  /** Decays and the like stay float32 in narrower models. */
  private static Tensor wide(Tensor t) {
    return t.scalar_type().intern() == ScalarType.Double ? t : t.to(ScalarType.Float);
  }

  /** Convolution inputs and state of the recurrence. */
  private static final class State implements SsmState {
    final Owned convolution; // (B, K−1, I)
    final Owned scan; // (B, I, N)

    State(Tensor convolution, Tensor scan) {
      this.convolution = new Owned(convolution);
      this.scan = new Owned(scan);
    }

    @Override
    public void close() {
      convolution.close();
      scan.close();
    }
  }

  @Override
  public SsmState newState(long batch) {
    try (Scope scope = new Scope()) {
      return new State(
          zeros(convWeight.value(), batch, convWeight.value().size(1) - 1, channels),
          zeros(aLog.value(), batch, channels, states));
    }
  }

  @Override
  public Var forward(Tape tape, Var x, @Nullable SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope()) {
      Var u = Ops.linearRows(tape, x, inProj.weight(), 0, channels);
      var convolved =
          KernelOps.causalConv(
              tape, u, convWeight, convBias, own == null ? null : own.convolution.get());
      Var z = Ops.linearRows(tape, x, inProj.weight(), channels, channels);
      Selected s = select(tape, convolved.y());
      var scanned =
          KernelOps.selectiveScan(
              tape,
              convolved.y(),
              s.delta,
              decayRates(tape),
              s.b,
              s.c,
              skip,
              z,
              dtBias,
              own == null ? null : own.scan.get());
      if (own != null) {
        own.convolution.set(convolved.last());
        own.scan.set(scanned.last());
      }
      Var y = outProj.forward(tape, scanned.y());
      scope.keep(y.value());
      return y;
    }
  }

  @Override
  public Tensor step(Tensor x, SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Kernels kernels = Kernels.of(x);
      Var in = Var.constant(x);
      Tensor u = Ops.linearRows(tape, in, inProj.weight(), 0, channels).value();
      Tensor z = Ops.linearRows(tape, in, inProj.weight(), channels, channels).value();
      u =
          kernels
              .causalConv()
              .step(
                  new CausalConv.Inputs(u, convWeight.value(), convBias.value(), null),
                  own.convolution.get());
      Selected s = select(tape, Var.constant(u));
      Tensor y =
          kernels
              .selectiveScan()
              .step(
                  new SelectiveScan.Inputs(
                      u,
                      s.delta.value(),
                      decayRates(tape).value(),
                      s.b.value(),
                      s.c.value(),
                      skip.value(),
                      z,
                      dtBias.value(),
                      null),
                  own.scan.get());
      return scope.keep(outProj.forward(tape, Var.constant(y)).value());
    }
  }

  /** What makes the state space selective: step size (B, T, I), input and output maps (B, T, N). */
  private record Selected(Var delta, Var b, Var c) {}

  private Selected select(Tape tape, Var u) {
    Var all = xProj.forward(tape, u); // (B, T, rank + 2N)
    return new Selected(
        dtProj.forward(tape, Ops.columns(tape, all, 0, rank)),
        Ops.columns(tape, all, rank, states),
        Ops.columns(tape, all, (long) rank + states, states));
  }

  /** A = −exp(A_log). */
  private Var decayRates(Tape tape) {
    Tensor a = aLog.value().exp().neg();
    return tape.record(a, inputs(aLog), keeping(a), dy -> aLog.addGradient(dy.mul(a)));
  }

  @Override
  public void name(Names names) {
    names
        .in("in_proj", inProj)
        .add("conv1d.weight", convWeight)
        .add("conv1d.bias", convBias)
        .in("x_proj", xProj)
        .in("dt_proj", dtProj)
        .add("dt_proj.bias", dtBias)
        .add("A_log", aLog)
        .add("D", skip)
        .in("out_proj", outProj);
  }
}
