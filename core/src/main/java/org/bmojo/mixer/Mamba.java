package org.bmojo.mixer;

import static org.bmojo.kernels.token.Products.To.set;
import static org.bmojo.kernels.torch.Tensors.zeros;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import java.util.function.Consumer;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.cpu.MatrixRows;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.token.Convolve;
import org.bmojo.kernels.token.Input;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.token.Products;
import org.bmojo.kernels.token.Scan;
import org.bmojo.kernels.token.Stage;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Mamba (Gu and Dao 2023): in-projection to input and gate, short causal convolution, selective
 * scan, gate, out-projection. Names and layout of the parameters are those of published
 * checkpoints.
 */
public final class Mamba implements Ssm {
  final int channels; // I
  private final int states; // N
  private final int rank;
  final Linear inProj; // (2I, d): input, then gate
  final ShortConvolution convolution; // (I, K)
  final Linear xProj; // (rank + 2N, I)
  final Linear dtProj; // (I, rank), bias used as Δ-bias
  final Parameter dtBias; // (I)
  final Parameter aLog; // (I, N)
  final Parameter skip; // (I)
  final Linear outProj; // (d, I)
  private final @Nullable Norm stepNorm; // (rank)
  private final @Nullable Norm inputNorm, outputNorm; // (N)

  /**
   * Fresh weights: A = −(1…N) per channel, softplus(Δ-bias) log-uniform in [1e-3, 1e-1], D = 1.
   *
   * @param width d
   */
  public Mamba(MambaConfig config, int width, Initializer init) {
    channels = channels(config, width);
    states = config.stateSize();
    rank = config.stepRank(width);
    inProj = Linear.create(init, width, 2L * channels, config.projectionBias());
    convolution =
        ShortConvolution.create(init, channels, config.convolution(), config.convolutionBias());
    xProj = Linear.create(init, channels, rank + 2L * states);
    double step = 1 / Math.sqrt(rank);
    dtProj = new Linear(Parameter.decaying(init.uniform(-step, step, channels, rank)), null);
    Tensor delta = init.uniform(Math.log(1e-3), Math.log(1e-1), channels).exp();
    dtBias = Parameter.undecayed(HeadDecay.wide(delta.expm1().log())); // softplus⁻¹
    aLog = Parameter.undecayed(HeadDecay.wide(init.counting(channels, states).log()));
    skip = Parameter.undecayed(HeadDecay.wide(init.constant(1, channels)));
    outProj = Linear.output(init, channels, width, config.projectionBias());
    double eps = config.selectionNormEps();
    stepNorm = eps > 0 ? Norm.create(init, rank, eps) : null;
    inputNorm = eps > 0 ? Norm.create(init, states, eps) : null;
    outputNorm = eps > 0 ? Norm.create(init, states, eps) : null;
  }

  private static int channels(MambaConfig config, int width) {
    long channels = (long) config.expand() * width;
    if (channels <= Integer.MAX_VALUE) return (int) channels;
    throw new BadInput(
        "mamba with " + channels + " channels",
        "expected no more than " + Integer.MAX_VALUE,
        "correct expand or the model's width");
  }

  /** Convolution inputs and state of the recurrence. */
  static final class State implements SsmState {
    final Owned convolution; // (B, K−1, I)
    final Owned scan; // (B, I, N)

    State(Owned convolution, Tensor scan) {
      this.convolution = convolution;
      this.scan = new Owned(scan);
    }

    @Override
    public void parts(StateParts parts) {
      parts.add("convolution", convolution).add("scan", scan);
    }

    @Override
    public void close() {
      convolution.close();
      scan.close();
    }
  }

  @Override
  public SsmState newState(Positions positions) {
    try (Scope scope = new Scope()) {
      long batch = positions.batch();
      return new State(
          convolution.newState(batch, inProj.weight().value()),
          zeros(aLog.value(), batch, channels, states));
    }
  }

  @Override
  public Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope()) {
      Projected in = project(tape, x);
      Var u = convolution.forward(tape, in.u, packing, own == null ? null : own.convolution);
      Selected s = select(tape, u);
      var scanned =
          KernelOps.selectiveScan(
              tape,
              u,
              s.delta,
              decayRates(tape),
              s.b,
              s.c,
              skip,
              in.z,
              dtBias,
              own == null ? null : own.scan.get(),
              Packing.begin(packing));
      if (own != null) own.scan.set(scanned.last());
      spare(tape, s);
      if (own == null) convolution.spare(tape, in.u, u, packing);
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
      Projected in = project(tape, Var.constant(x));
      Var u = convolution.forward(tape, in.u, null, own.convolution);
      Selected s = select(tape, u);
      Tensor y =
          Kernels.of(x)
              .selectiveScan()
              .step(
                  new SelectiveScan.Inputs(
                      u.value(),
                      s.delta.value(),
                      decayRates(tape).value(),
                      s.b.value(),
                      s.c.value(),
                      skip.value(),
                      in.z.value(),
                      dtBias.value(),
                      null),
                  own.scan.get());
      return scope.keep(outProj.forward(tape, Var.constant(y)).value());
    }
  }

  @Override
  public boolean plans() {
    boolean halves = channels % PackedMatrix.PANEL == 0;
    return halves && inProj.bias() == null && outProj.bias() == null && stepNorm == null;
  }

  @Override
  public Consumer<SsmState> plan(TokenPlan plan, float[] x, TokenPlan.End end, Stage... besides) {
    float[] u = plan.vector(channels), z = plan.vector(channels), conv = plan.vector(channels);
    float[] selected = plan.vector(rank + 2 * states), delta = plan.vector(channels);
    float[] y = plan.vector(channels);
    Place inputs = new Place(), state = new Place();
    MatrixRows[] halves = plan.halves(inProj.weight());
    var in =
        new Products(
            new Input.Plain(x, plan.width()), set(halves[0], null, u), set(halves[1], null, z));
    plan.add(TokenPlan.beside(in, besides));
    plan.add(
        new Convolve(
            u,
            channels,
            (int) convolution.weight().value().size(1),
            plan.taps(convolution),
            plan.numbers(convolution.bias(), channels),
            inputs,
            false,
            conv));
    plan.add(new Products(new Input.Plain(conv, channels), plan.set(xProj, selected)));
    plan.add(new Products(new Input.Plain(selected, rank), plan.set(dtProj, delta)));
    plan.add(
        new Scan(
            channels,
            states,
            conv,
            z,
            delta,
            plan.numbers(dtBias, channels),
            plan.rates(aLog),
            selected,
            rank,
            plan.numbers(skip, channels),
            state,
            y));
    plan.add(new Products(new Input.Plain(y, channels), end.of(outProj)));
    return s -> {
      State own = (State) s;
      inputs.set(TokenPlan.inPlace(own.convolution));
      state.set(TokenPlan.inPlace(own.scan));
    };
  }

  /** Input of the convolution and gate, each (B, T, I). */
  private record Projected(Var u, Var z) {}

  private Projected project(Tape tape, Var x) {
    if (inProj.bias() == null) {
      return new Projected(
          Ops.linearRows(tape, x, inProj.weight(), 0, channels),
          Ops.linearRows(tape, x, inProj.weight(), channels, channels));
    }
    Var both = inProj.forward(tape, x);
    return new Projected(
        Ops.columns(tape, both, 0, channels), Ops.columns(tape, both, channels, channels));
  }

  /**
   * What makes the state space selective: step size (B, T, I), before that (B, T, rank), input and
   * output maps (B, T, N).
   */
  private record Selected(Var low, Var delta, Var b, Var c) {}

  private Selected select(Tape tape, Var u) {
    Var all = xProj.forward(tape, u); // (B, T, rank + 2N)
    Var step = normed(tape, Ops.columns(tape, all, 0, rank), stepNorm);
    Var b = Ops.columns(tape, all, rank, states);
    Var c = Ops.columns(tape, all, (long) rank + states, states);
    return new Selected(
        step, dtProj.forward(tape, step), normed(tape, b, inputNorm), normed(tape, c, outputNorm));
  }

  /** Gives step sizes back where the tape is told to: a narrow product makes them again. */
  private void spare(Tape tape, Selected s) {
    Tensor low = s.low.value();
    tape.spare(
        s.delta,
        keeping(low, dtProj.weight().value()),
        () -> dtProj.forward(Tape.off(), Var.constant(low)).value());
  }

  private static Var normed(Tape tape, Var x, @Nullable Norm norm) {
    return norm == null ? x : norm.forward(tape, x);
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
        .in("conv1d", convolution)
        .in("x_proj", xProj)
        .in("dt_proj", dtProj)
        .add("dt_proj.bias", dtBias)
        .add("A_log", aLog)
        .add("D", skip)
        .in("dt_layernorm", stepNorm)
        .in("b_layernorm", inputNorm)
        .in("c_layernorm", outputNorm)
        .in("out_proj", outProj);
  }
}
