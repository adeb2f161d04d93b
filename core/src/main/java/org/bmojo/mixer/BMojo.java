package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.Arrays;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bmojo.layer.RotaryTable.Angles;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.KernelOps.EideticVars;
import org.bmojo.tape.KernelOps.StreamVars;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The sequence-mixing layer with all its memories (Zancato et al. 2024, section 3); transformers,
 * state-space models and hybrids are the same layer with parts switched off, as {@link MixerConfig}
 * says. Three forms compute one function: {@link #forward} without state (parallel), with a state
 * carried across any split of the sequence (chunked), and {@link #step} (one token).
 */
public final class BMojo implements Names.Named {
  private final MixerConfig config;
  final @Nullable Ssm ssm;
  final @Nullable Projections projections;
  final @Nullable EideticMemory eidetic;
  private final @Nullable Retrieval retrieval;

  /**
   * Fresh weights.
   *
   * @param width d
   */
  public BMojo(MixerConfig config, int width, Initializer init) {
    this.config = config;
    ssm =
        switch (config.ssm()) {
          case null -> null;
          case MambaConfig mamba -> new Mamba(mamba, width, init);
          case Mamba2Config mamba2 -> new Mamba2(mamba2, width, init);
          case GatedDeltaNetConfig delta -> new GatedDeltaNet(delta, width, init);
          case GatedKalmaNetConfig kalma -> new GatedKalmaNet(kalma, width, init);
        };
    AttentionConfig attention = config.attention();
    projections = attention == null ? null : new Projections(attention, width, init);
    EideticConfig memory = attention == null ? null : attention.eidetic();
    eidetic =
        attention == null || memory == null
            ? null
            : new EideticMemory(attention, memory, width, init);
    StorageConfig storage = memory == null ? null : memory.storage();
    retrieval =
        attention == null || eidetic == null || storage == null
            ? null
            : new Retrieval(attention, storage, eidetic);
  }

  private BMojo(Projections p) {
    config = new MixerConfig(MambaConfig.standard(), p.config());
    ssm = null;
    projections = p;
    eidetic = null;
    retrieval = null;
  }

  /** What the layer is made of. */
  public MixerConfig config() {
    return config;
  }

  /** The fading memory; null in a layer without one. */
  public @Nullable Ssm ssm() {
    return ssm;
  }

  /**
   * Shortens the window for the passes that follow, but not below C; what fades moves up behind it.
   *
   * @param share of its own length; 1 for all of it
   */
  public void narrowWindow(double share) {
    if (projections != null) projections.narrowWindow(share);
  }

  /** The state before the first token of {@code batch} sequences. */
  public MixerState newState(long batch) {
    return new MixerState(this, ssm, projections, eidetic, retrieval, batch);
  }

  /**
   * One state from those of several chunks of a context that were read apart, as a batch: see
   * {@link StateComposition}.
   *
   * @param chunks unchanged
   * @return of a batch of one
   * @throws BadInput in any layer but a Mamba-2
   */
  public MixerState compose(MixerState chunks) {
    if (ssm instanceof Mamba2 mamba2 && projections == null && chunks.ssm != null) {
      Positions positions = Positions.start(1);
      positions.set(chunks.position());
      return new MixerState(this, mamba2.compose(chunks.ssm, positions), positions);
    }
    throw new BadInput(
        "a layer that is not Mamba-2 alone",
        "expected one, whose states are known to compose",
        "Read the chunks one after the other");
  }

  /**
   * The whole of a sequence, or its next part.
   *
   * @param x (B, T, d), normalised by the block
   * @param state advanced past x; null for sequences that begin and end here. Past tokens are
   *     constants: no gradient flows into a state
   * @return (B, T, d)
   * @throws BadInput if x is empty or of another batch than the state
   */
  public Var forward(Tape tape, Var x, @Nullable MixerState state) {
    return forward(tape, x, null, state);
  }

  /**
   * The same of rows that hold several documents.
   *
   * @param packing where they begin; null for one document a row
   */
  public Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable MixerState state) {
    expect("layer", "x", x.value(), state == null ? ANY : state.batch(), ANY, ANY);
    if (x.value().numel() == 0) {
      throw new BadInput("no tokens", "expected at least one", "Pass a sequence");
    }
    try (Scope scope = new Scope()) {
      Var y = ssm == null ? null : ssm.forward(tape, x, packing, state == null ? null : state.ssm);
      Var out = projections == null ? y : attend(tape, x, y, projections, packing, state);
      if (out == null) throw new IllegalStateException("a layer has an ssm or attention");
      if (y != null && config.stateOutput()) out = Ops.add(tape, out, y);
      if (state != null) state.positions.advance(x.value().size(1));
      scope.keep(out.value());
      return out;
    }
  }

  /** Attention alone, over outputs of a state space that are given: for comparison with others. */
  static Var attendGiven(Tape tape, Projections p, Var x, Var y) {
    return new BMojo(p).attend(tape, x, y, p, null, null);
  }

  private Var attend(
      Tape tape,
      Var x,
      @Nullable Var y,
      Projections p,
      @Nullable Packing packing,
      @Nullable MixerState state) {
    Positions positions = state == null ? Positions.start(x.value().size(0)) : state.positions;
    long start = positions.common();
    long tokens = x.value().size(1);
    Var mixed = p.shortConvolution(tape, x, packing, state);
    Var q = p.queries(tape, mixed); // (B, T, H, D)
    Var k = p.keys(tape, mixed), v = p.values(tape, mixed); // (B, T, G, D)
    Turn turn = new Turn(p.rotary(), x.value(), positions, tokens);
    Var nearQ = turn.apply(tape, q), nearK = turn.apply(tape, k);
    MixerState.Attention past = state == null ? null : state.attention();
    StreamVars window = new StreamVars(nearK, v, past == null ? null : past.window(start));

    StreamVars fading = null;
    if (y != null && p.config().fading() > 0) {
      Var fadingK = turn.apply(tape, p.fadingKeys(tape, y));
      Var fadingV = p.fadingValues(tape, y);
      fading = new StreamVars(fadingK, fadingV, past == null ? null : past.fading(start));
    }
    EideticVars memory = null;
    EideticConfig eideticConfig = p.config().eidetic();
    if (eidetic != null && eideticConfig != null) {
      EideticMemory.State remembered = past == null ? null : past.eidetic;
      var scored = eidetic.score(tape, x, y, positions, packing, remembered);
      MemoryAttention.Stream tail = past == null ? null : past.unrotatedTail(start, p.rotary());
      EideticMemory.Sets sets =
          eidetic.refresh(
              tape,
              scored,
              k,
              v,
              tail == null ? null : tail.k(),
              tail == null ? null : tail.v(),
              start,
              packing,
              remembered,
              past == null ? new Stores() : past.stores);
      if (state != null) state.refreshed(start / eideticConfig.chunk(), sets.positions());
      memory =
          new EideticVars(
              farQueries(tape, q, nearQ, eideticConfig),
              farKeys(tape, sets),
              sets.v(),
              sets.bias());
      if (retrieval != null) {
        var fresh = new Retrieval.Tokens(memory.q(), k, v, scored);
        memory = retrieval.join(tape, memory, fresh, sets, start, packing, past);
      }
    }
    if (past != null) past.put(start, nearK, v, fading);
    Var fadingQ = fading == null ? null : p.fadingQueries(tape, mixed);
    Tensor begin = Packing.begin(packing);
    MemoryAttention.Geometry at = p.geometry(start);
    Var heads =
        fading == null || fadingQ == null
            ? KernelOps.memoryAttention(tape, at, nearQ, window, fading, memory, begin)
            : TwoQueries.attend(
                tape, at, nearQ, turn.apply(tape, fadingQ), window, fading, memory, begin);
    return p.output(tape, heads);
  }

  /**
   * One token of each sequence, in constant time and memory. Sequences need not be in step.
   *
   * @param x (B, 1, d)
   * @param state advanced by one token
   * @return (B, 1, d)
   * @throws BadInput if x has another batch than the state, or more than one token
   */
  public Tensor step(Tensor x, MixerState state) {
    expect("layer", "x", x, state.batch(), 1, ANY);
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor y = ssm == null || state.ssm == null ? null : ssm.step(x, state.ssm);
      Tensor out = projections == null ? y : attendStep(tape, x, y, projections, state);
      if (out == null) throw new IllegalStateException("a layer has an ssm or attention");
      if (y != null && config.stateOutput()) out = out.add(y);
      state.positions.advance(1);
      return scope.keep(out);
    }
  }

  private Tensor attendStep(
      Tape tape, Tensor x, @Nullable Tensor y, Projections p, MixerState state) {
    MixerState.Attention past = state.attention();
    if (past == null) throw new IllegalStateException("attention without its state");
    Positions positions = state.positions;
    Var in = Var.constant(x), fadingIn = y == null ? null : Var.constant(y);
    Var mixed = p.shortConvolution(tape, in, null, state);
    Var q = p.queries(tape, mixed), k = p.keys(tape, mixed), v = p.values(tape, mixed);
    Turn turn = new Turn(p.rotary(), x, positions, 1);
    Var nearQ = turn.apply(tape, q), nearK = turn.apply(tape, k);
    StreamVars fading = null;
    if (fadingIn != null && p.config().fading() > 0) {
      Var fadingK = turn.apply(tape, p.fadingKeys(tape, fadingIn));
      fading = new StreamVars(fadingK, p.fadingValues(tape, fadingIn), null);
    }
    MemoryAttention.Eidetic memory = null;
    EideticConfig eideticConfig = p.config().eidetic();
    if (eidetic != null && eideticConfig != null && past.eidetic != null) {
      EideticMemory.State remembered = past.eidetic;
      var scored = eidetic.score(tape, in, fadingIn, positions, null, remembered);
      Var farQ = farQueries(tape, q, nearQ, eideticConfig);
      var token = new Retrieval.Tokens(farQ, k, v, scored);
      refreshDue(tape, eidetic, p, token, state);
      remembered.recent.putOne(positions, scored.eligible());
      Tensor keys = remembered.k.get();
      if (eideticConfig.positions().turnsKeys() && p.rotary() != null) {
        keys = turnedTo(keys, places(eideticConfig, remembered.positions.get()), p.rotary());
      }
      memory =
          new MemoryAttention.Eidetic(
              farQ.value().squeeze(1), keys, remembered.v.get(), remembered.bias.get());
      if (retrieval != null) memory = retrieval.joinOne(memory, token, positions, past);
    }
    past.putOne(positions, nearK, v, fading);
    var seen =
        new MemoryAttention.StepInputs(
            p.geometry(positions.largest()),
            nearQ.value().squeeze(1),
            positions.all(),
            past.windowRing(),
            past.fadingRing(),
            memory);
    MemoryAttention op = Kernels.of(x).memoryAttention();
    Var ownQ = fading == null ? null : p.fadingQueries(tape, mixed);
    Tensor fadingQ = ownQ == null ? null : turn.apply(tape, ownQ).value().squeeze(1);
    state.attended(seen, fadingQ);
    Tensor heads = fadingQ == null ? op.step(seen) : TwoQueries.step(op, seen, fadingQ);
    return p.output(tape, Var.constant(heads.unsqueeze(1))).value();
  }

  /** Whether {@link #plan} can say how a step is done. */
  public boolean plans() {
    if (retrieval != null || (ssm != null && !ssm.plans())) return false;
    if (projections == null) return ssm != null;
    return projections.plans() && (eidetic == null || eidetic.plans());
  }

  /** Whether a token at {@code position} changes long-term memory first, which no plan does. */
  public boolean refreshesAt(long position) {
    EideticConfig memory = projections == null ? null : projections.config().eidetic();
    return memory != null && position % memory.chunk() == 0;
  }

  /**
   * Adds to {@code plan} what {@link #step} does for one sequence.
   *
   * @param norm of the layer's input
   * @param x (d) what the norm reads, and what the layer's output is added to
   */
  public void plan(TokenPlan plan, Norm norm, float[] x) {
    Projections p = projections;
    if (p != null) {
      AttentionPlan.add(plan, norm, x, ssm, p, eidetic, config);
    } else if (ssm != null) {
      var bind = ssm.plan(plan, plan.normalised(norm, x), map -> plan.add(map, x, null));
      plan.layer(state -> bind.accept(Objects.requireNonNull(state.ssm)));
    }
  }

  /** Gives those sequences new sets that begin a chunk with their next token; most often none. */
  private void refreshDue(
      Tape tape, EideticMemory eidetic, Projections p, Retrieval.Tokens token, MixerState state) {
    int chunk = p.config().chunk();
    state
        .positions
        .atMultiplesOf(chunk)
        .forEach((start, rows) -> {
          if (rows.length == state.batch()) {
            Tensor sets = refresh(tape, eidetic, p, token, state, start);
            state.refreshed(start / chunk, sets);
            return;
          }
          try (Scope _ = new Scope();
              MixerState part = state.copy(rows)) {
            long[] wide = Arrays.stream(rows).asLongStream().toArray();
            Tensor index = Positions.index(token.k().value(), wide);
            refresh(tape, eidetic, p, token.rows(index), part, start);
            EideticMemory.State whole = state.attention().eidetic, own = part.attention().eidetic;
            if (whole != null && own != null) whole.takeSets(own, rows);
            RetrievalState all = state.attention().retrieval, some = part.attention().retrieval;
            if (all != null && some != null) all.takeSets(some, index);
          }
        });
  }

  /** New sets for sequences in step; their positions (B, 1, E). */
  private Tensor refresh(
      Tape tape,
      EideticMemory eidetic,
      Projections p,
      Retrieval.Tokens token,
      MixerState state,
      long start) {
    MixerState.Attention past = state.attention();
    MemoryAttention.Stream tail = past.unrotatedTail(start, p.rotary());
    EideticMemory.Sets sets =
        eidetic.refresh(
            tape,
            token.scored(),
            token.k(),
            token.v(),
            tail.k(),
            tail.v(),
            start,
            null,
            past.eidetic,
            past.stores);
    if (retrieval != null) retrieval.refresh(tape, token, sets, start, past);
    return sets.positions();
  }

  void handOverRest(MixerState state) {
    if (eidetic == null || projections == null) return;
    Evicted.handOverRest(eidetic.rule(), state.attention(), state.position(), projections.rotary());
  }

  /** The queries as long-term memory sees them. */
  private Var farQueries(Tape tape, Var q, Var nearQ, EideticConfig memory) {
    Projections p = projections;
    if (p == null) throw new IllegalStateException("eidetic memory without attention");
    RotaryCache rotary = p.rotary();
    if (rotary == null || memory.positions() == FarPositions.NONE) return q;
    if (memory.positions() == FarPositions.ABSOLUTE) return nearQ;
    long distance = (long) p.config().reach() + p.config().fading();
    Angles fixed = rotary.at(q.value(), distance, 1);
    Var turned = KernelOps.rotary(tape, q, fixed.cos(), fixed.sin());
    // Keys that are not turned lack the factor that rotation would have brought them.
    double grown = rotary.table().magnitude();
    return grown == 1 || memory.positions() == FarPositions.ORDER
        ? turned
        : Ops.scale(tape, turned, grown);
  }

  /** The sets' keys as queries see them: as they are, or turned to a place of each. */
  private Var farKeys(Tape tape, EideticMemory.Sets sets) {
    RotaryCache rotary = projections == null ? null : projections.rotary();
    EideticConfig memory = projections == null ? null : projections.config().eidetic();
    if (rotary == null || memory == null || !memory.positions().turnsKeys()) return sets.k();
    Tensor places = places(memory, sets.positions());
    return TorchFunction.apply(tape, t -> turnedTo(t[0], places, rotary), sets.k());
  }

  /** Where the members of sets stand, (…, E), those of empty slots meaning nothing. */
  private static Tensor places(EideticConfig memory, Tensor positions) {
    if (memory.positions() == FarPositions.ABSOLUTE) return positions;
    // Sets are in order, empty slots last: the newest of n stands at 0, the oldest at 1 − n.
    Tensor held = positions.ge(new Scalar(0L)).to(ScalarType.Long);
    return held.cumsum(-1).sub(held.sum(new long[] {-1}, true, new ScalarTypeOptional()));
  }

  /** Keys (…, E, G, D) turned to positions (…, E). */
  private static Tensor turnedTo(Tensor k, Tensor positions, RotaryCache rotary) {
    Angles angles = rotary.table().at(k, positions);
    long half = k.size(-1) / 2;
    Tensor wide = accumulated(k);
    Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
    Tensor c = angles.cos().unsqueeze(-2), s = angles.sin().unsqueeze(-2); // (…, E, 1, D/2)
    return cat(-1, a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))).to(k.scalar_type());
  }

  @Override
  public void name(Names names) {
    names.in("ssm", ssm);
    if (projections != null) projections.name(names);
    if (eidetic != null) eidetic.name(names);
  }
}
