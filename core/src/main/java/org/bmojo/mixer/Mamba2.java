package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bmojo.layer.RotaryTable;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.StateOps;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Mamba-2 (Dao and Gu 2024): one projection to gate, x, B, C and step sizes; a short convolution
 * over x, B and C; the recurrence; gate, norm, out-projection. Names and layout of the parameters
 * are those of published checkpoints.
 */
public final class Mamba2 implements Ssm {
  /** Fixed in the checkpoints that have such norms. */
  private static final double KEY_NORM_EPS = 1e-6;

  private final Mamba2Config config;
  private final Linear inProj; // (H·P + x + B + C + H, d)
  private final ShortConvolution convolution;
  private final HeadDecay decay;
  private final Parameter skip; // (H)
  private final Norm norm; // (H·P), in groups
  private final @Nullable Norm keyNorm, queryNorm; // (N)
  private final @Nullable RotaryCache rotary;
  private final Linear outProj; // (d, H·P)

  /**
   * Fresh weights.
   *
   * @param width d
   */
  public Mamba2(Mamba2Config config, int width, Initializer init) {
    this.config = config;
    long inner = config.inner();
    boolean biased = config.projectionBias();
    long projected = inner + config.convolved() + config.heads();
    inProj = Linear.create(init, width, projected, biased);
    convolution =
        ShortConvolution.create(
            init, config.convolved(), config.convolution(), config.convolutionBias());
    decay = HeadDecay.create(init, config.heads());
    skip = Parameter.undecayed(HeadDecay.wide(init.constant(1, config.heads())));
    norm = Norm.create(init, (int) inner, config.normEps());
    boolean normed = config.keyNorm();
    keyNorm = normed ? Norm.create(init, config.stateSize(), KEY_NORM_EPS) : null;
    queryNorm = normed ? Norm.create(init, config.stateSize(), KEY_NORM_EPS) : null;
    rotary =
        config.ropeBase() > 0
            ? new RotaryCache(new RotaryTable(config.stateSize(), config.ropeBase(), null, true))
            : null;
    outProj = Linear.output(init, inner, width, biased);
  }

  /** What a layer remembers, and how much of it has been forgotten since the first token. */
  static final class State implements SsmState {
    final Owned convolution; // (B, K−1, x + B + C)
    final Owned scan; // (B, H, N, P)
    final Owned logDecay; // (B, H), sum over tokens
    final Positions positions;

    State(Positions positions, Owned convolution, Tensor scan, Tensor logDecay) {
      this.positions = positions;
      this.convolution = convolution;
      this.scan = new Owned(scan);
      this.logDecay = new Owned(logDecay);
    }

    @Override
    public void parts(StateParts parts) {
      parts.add("convolution", convolution).add("scan", scan).add("log_decay", logDecay);
    }

    @Override
    public void close() {
      convolution.close();
      scan.close();
      logDecay.close();
    }
  }

  @Override
  public SsmState newState(Positions positions) {
    try (Scope scope = new Scope()) {
      long batch = positions.batch();
      Tensor like = decay.aLog().value();
      return new State(
          positions,
          convolution.newState(batch, inProj.weight().value()),
          zeros(like, batch, config.heads(), config.stateSize(), config.headDim()),
          zeros(like, batch, config.heads()));
    }
  }

  @Override
  public Var forward(Tape tape, Var x, @Nullable SsmState state) {
    State own = (State) state;
    try (Scope scope = new Scope()) {
      long inner = config.inner(), convolved = config.convolved();
      Var all = inProj.forward(tape, x);
      Var z = Ops.columns(tape, all, 0, inner); // (B, T, H·P)
      Var mixed = Ops.columns(tape, all, inner, convolved);
      if (keyNorm != null || rotary != null) mixed = turned(tape, mixed, own);
      mixed = convolution.forward(tape, mixed, own == null ? null : own.convolution);
      Var raw = Ops.columns(tape, all, inner + convolved, config.heads());
      Var steps = decay.steps(tape, raw, config.minStep(), config.maxStep());
      Var g = decay.logDecay(tape, steps);

      Var input = heads(tape, mixed, Part.INPUT); // (B, T, H, P)
      Var weighted =
          TorchFunction.apply(
              tape,
              t -> accumulated(t[0]).mul(t[1].unsqueeze(-1)).to(t[0].scalar_type()),
              input,
              steps);
      Var read =
          StateOps.ssd(
              tape,
              heads(tape, mixed, Part.QUERY),
              heads(tape, mixed, Part.KEY),
              weighted,
              g,
              own == null ? null : own.scan);
      Var y =
          TorchFunction.apply(
              tape,
              t -> t[0].add(t[1].mul(t[2].unsqueeze(-1)).to(t[0].scalar_type())),
              read,
              input,
              skip);
      if (own != null) {
        own.logDecay.set(own.logDecay.get().add(g.value().sum(1)));
      }
      Var out = outProj.forward(tape, gated(tape, y, z));
      scope.keep(out.value());
      return out;
    }
  }

  @Override
  public Tensor step(Tensor x, SsmState state) {
    try (Tape tape = Tape.off()) {
      return forward(tape, Var.constant(x), state).value();
    }
  }

  /**
   * One state from those of several chunks, a batch of one from a batch of chunks, by the rule of
   * {@link StateComposition}; what the convolutions remember is averaged.
   *
   * @param chunks as {@link #forward} left it; unchanged
   * @param positions of the one
   */
  SsmState compose(SsmState chunks, Positions positions) {
    State all = (State) chunks;
    try (Scope scope = new Scope()) {
      Tensor logDecay = all.logDecay.get();
      Tensor inputs = all.convolution.get();
      Tensor scan =
          StateComposition.weighted(StateComposition.logWeights(logDecay), all.scan.get());
      // Read one after the other, the chunks forget as much as all of them together.
      Tensor forgotten = logDecay.sum(0).unsqueeze(0);
      return new State(
          positions,
          new Owned(inputs.mean(0).unsqueeze(0).contiguous()),
          scan.contiguous(),
          forgotten.contiguous());
    }
  }

  /** The parts of what is convolved, in the order of their columns. */
  private enum Part {
    INPUT,
    KEY,
    QUERY
  }

  private int count(Part part) {
    return switch (part) {
      case INPUT -> config.inputHeads();
      case KEY -> config.keyHeads();
      case QUERY -> config.queryHeads();
    };
  }

  private Var columns(Tape tape, Var mixed, Part part) {
    long x = (long) config.inputHeads() * config.headDim();
    long b = (long) config.keyHeads() * config.stateSize();
    return switch (part) {
      case INPUT -> Ops.columns(tape, mixed, 0, x);
      case KEY -> Ops.columns(tape, mixed, x, b);
      case QUERY -> Ops.columns(tape, mixed, x + b, (long) count(part) * config.stateSize());
    };
  }

  /** (B, T, x + B + C) → (B, T, H, P or N), heads repeated. */
  private Var heads(Tape tape, Var mixed, Part part) {
    return Ops.repeatHeads(tape, split(tape, mixed, part), config.heads() / count(part));
  }

  private Var split(Tape tape, Var mixed, Part part) {
    long batch = mixed.value().size(0), tokens = mixed.value().size(1);
    return Ops.reshape(tape, columns(tape, mixed, part), batch, tokens, count(part), -1);
  }

  /** Norms and positions of B and C, which stand in front of the convolution. */
  private Var turned(Tape tape, Var mixed, @Nullable State own) {
    long batch = mixed.value().size(0), tokens = mixed.value().size(1);
    Var b = split(tape, mixed, Part.KEY), c = split(tape, mixed, Part.QUERY);
    if (keyNorm != null && queryNorm != null) {
      b = keyNorm.forward(tape, b);
      c = queryNorm.forward(tape, c);
    }
    if (rotary != null) {
      Positions positions = own == null ? Positions.start(batch) : own.positions;
      Turn turn = new Turn(rotary, mixed.value(), positions, tokens);
      b = turn.apply(tape, b);
      c = turn.apply(tape, c);
    }
    return Ops.beside(
        tape,
        columns(tape, mixed, Part.INPUT),
        Ops.reshape(tape, b, batch, tokens, -1),
        Ops.reshape(tape, c, batch, tokens, -1));
  }

  /** Gate, then norm: (B, T, H, P) and (B, T, H·P) → (B, T, H·P). */
  private Var gated(Tape tape, Var y, Var z) {
    long batch = z.value().size(0), tokens = z.value().size(1), inner = config.inner();
    Var u = KernelOps.swiGlu(tape, z, Ops.reshape(tape, y, batch, tokens, inner));
    if (config.normGroups() == 1) return norm.forward(tape, u);
    Var grouped = Ops.reshape(tape, u, batch, tokens, config.normGroups(), -1);
    Var even = KernelOps.rmsNorm(tape, grouped, null, config.normEps());
    return TorchFunction.apply(
        tape, t -> t[0].mul(t[1]), Ops.reshape(tape, even, batch, tokens, inner), norm.weight());
  }

  @Override
  public void name(Names names) {
    names.in("in_proj", inProj).in("conv1d", convolution);
    decay.name(names);
    names
        .add("D", skip)
        .in("norm", norm)
        .in("B_norm", keyNorm)
        .in("C_norm", queryNorm)
        .in("out_proj", outProj);
  }
}
