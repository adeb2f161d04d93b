package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import java.util.List;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.SetGather;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Long-term memory: scores every token, keeps the best E at every multiple of C, and hands their
 * verbatim keys (unrotated) and values to attention.
 */
final class EideticMemory implements Names.Named {
  private static final double LEAST = 1e-30;

  private final EideticConfig config;
  private final EideticSelect.Rule rule;
  private final int heads;
  final Scorer scorer;
  private final Eligibility eligibility;
  private final @Nullable Parameter gamma; // (H)

  EideticMemory(AttentionConfig attention, EideticConfig config, int width, Initializer init) {
    this.config = config;
    rule =
        new EideticSelect.Rule(config.capacity(), config.behind(attention.reach()), config.chunk());
    heads = attention.heads();
    eligibility = new Eligibility(config.threshold());
    scorer =
        switch (config.selection()) {
          case INNOVATION -> new InnovationScorer(width, config, config.modulated(), init);
          case FILTER -> new FilterScorer(width, config.modulated(), init);
          case IMPORTANCE -> new ImportanceScorer(width, false, config.initialBias(), init);
          case CONTEXTUAL -> new ImportanceScorer(width, true, config.initialBias(), init);
          case COMBINED -> new CombinedScorer(width, config, init);
          case RANDOM -> PositionScorer.random(1);
          case RECENT -> PositionScorer.recent();
          case STRIDE -> PositionScorer.stride();
          case NONE -> PositionScorer.none();
        };
    gamma = config.modulated() ? Parameter.undecayed(init.constant(0, heads)) : null;
  }

  /** What is remembered: the set at the last refresh, and the tail that may yet be chosen. */
  static final class State implements StateParts.Parted, AutoCloseable {
    final Owned k, v; // (B, E, G, D), k unrotated
    final Owned positions; // (B, E), −1 where empty
    final Owned scores; // (B, E)
    final Owned bias; // (B, H, E), −∞ where empty
    final Ring recent; // eligible scores of the last W + C tokens
    final @Nullable Owned history;
    final @Nullable Owned logTau;

    State(EideticMemory memory, Tensor like, long batch, long groups, long dim) {
      int capacity = memory.config.capacity();
      Tensor score = zeros(like, accumulation(like), batch, capacity);
      k = new Owned(zeros(like, batch, capacity, groups, dim));
      v = new Owned(zeros(like, batch, capacity, groups, dim));
      positions = new Owned(zeros(like, ScalarType.Long, batch, capacity).sub(new Scalar(1L)));
      Scalar never = scalar(Double.NEGATIVE_INFINITY);
      scores = new Owned(score.add(never));
      bias = new Owned(zeros(score, batch, memory.heads, capacity).add(never));
      recent = new Ring(memory.rule.window() + memory.rule.chunk(), score, batch);
      Tensor h = memory.scorer.history(batch);
      history = h == null ? null : new Owned(h);
      Tensor tau = memory.eligibility.start(like, batch);
      logTau = tau == null ? null : new Owned(tau);
    }

    @Override
    public void parts(StateParts parts) {
      parts.add("k", k).add("v", v).add("positions", positions).add("scores", scores);
      parts.add("bias", bias).in("recent", recent).add("history", history).add("log_tau", logTau);
    }

    /** Takes the set of some rows from {@code part}, which has just these. */
    void takeSets(State part, int... rows) {
      try (Scope _ = new Scope()) {
        long[] wide = Arrays.stream(rows).asLongStream().toArray();
        Tensor index = Positions.index(k.get(), wide);
        k.get().index_copy_(0, index, part.k.get());
        v.get().index_copy_(0, index, part.v.get());
        positions.get().index_copy_(0, index, part.positions.get());
        scores.get().index_copy_(0, index, part.scores.get());
        bias.get().index_copy_(0, index, part.bias.get());
      }
    }

    @Override
    public void close() {
      for (Owned o : new Owned[] {k, v, positions, scores, bias}) o.close();
      recent.close();
      if (history != null) history.close();
      if (logTau != null) logTau.close();
    }
  }

  /**
   * The sets that some tokens see.
   *
   * @param k (B, M, E, G, D) unrotated
   * @param v (B, M, E, G, D)
   * @param bias (B, M, H, E)
   * @param positions (B, M, E), −1 where empty
   */
  record Sets(Var k, Var v, Var bias, Tensor positions) {}

  /** Scores of new tokens (B, T): the variable, and the eligible scores without gradient. */
  record Scored(Var e, Tensor eligible) {
    /** Of some rows; without gradient. */
    Scored rows(Tensor index) {
      return new Scored(
          Var.constant(e.value().index_select(0, index)), eligible.index_select(0, index));
    }
  }

  /**
   * Scores new tokens and notes them.
   *
   * @param positions of the first of them
   */
  Scored score(
      Tape tape,
      Var x,
      @Nullable Var y,
      Positions positions,
      @Nullable Packing packing,
      @Nullable State state) {
    Owned history = state == null ? null : state.history;
    Var e = scorer.score(tape, new Scorer.Inputs(x, y, positions, packing, history));
    Owned logTau = state == null ? null : state.logTau;
    return new Scored(e, eligibility.apply(e.value(), packing, logTau));
  }

  /**
   * The sets of the chunks that new tokens touch; with a state, the last of them is remembered.
   *
   * @param k (B, T, G, D) unrotated keys of the new tokens
   * @param v (B, T, G, D)
   * @param tailK (B, P, G, D) unrotated keys of the tokens before, P = {@link
   *     EideticSelect.Rule#tail}; null without state
   * @param tailV (B, P, G, D)
   * @param stores where tokens go that lose their place
   */
  Sets refresh(
      Tape tape,
      Scored scored,
      Var k,
      Var v,
      @Nullable Tensor tailK,
      @Nullable Tensor tailV,
      long start,
      @Nullable Packing packing,
      @Nullable State state,
      Stores stores) {
    try (Scope scope = new Scope()) {
      Tensor fresh = scored.eligible();
      long batch = fresh.size(0);
      int capacity = config.capacity();
      int tail = state == null ? 0 : rule.tail(start);
      Tensor keptPositions, keptScores, pastScores, all;
      if (state == null) {
        keptPositions = zeros(fresh, ScalarType.Long, batch, capacity).sub(new Scalar(1L));
        keptScores = zeros(fresh, batch, capacity).fill_(scalar(Double.NEGATIVE_INFINITY));
        pastScores = null;
        all = fresh;
      } else {
        keptPositions = state.positions.get();
        keptScores = state.scores.get();
        Tensor tailScores = state.recent.before(start, tail);
        pastScores = cat(1, keptScores, tailScores);
        all = cat(1, tailScores, fresh);
      }
      EideticSelect select = Kernels.of(k.value()).eideticSelect();
      var chosen =
          select.forward(rule, all, start, keptPositions, keptScores, Packing.begin(packing));
      Tensor rows = chosen.rows(); // (B, M, E)
      if (state == null) {
        // No past: the sequence's own rows are all there is, and empty slots read row 0.
        rows = rows.sub(new Scalar((long) capacity)).clamp_min(new Scalar(0L));
      }
      Tensor pastK = state == null || tailK == null ? null : cat(1, state.k.get(), tailK);
      Tensor pastV = state == null || tailV == null ? null : cat(1, state.v.get(), tailV);
      var members = new SetGather.Sets(rows, chosen.positions());
      // Gathered from the eligible scores' places: for those kept, score and eligible score agree.
      Var e = KernelOps.gatherSets(tape, pastScores, scored.e(), members);
      Sets sets =
          new Sets(
              KernelOps.gatherSets(tape, pastK, k, members),
              KernelOps.gatherSets(tape, pastV, v, members),
              bias(tape, perHead(tape, e), empty(chosen.positions())),
              chosen.positions());
      if (state != null && pastK != null && pastV != null) {
        if (!stores.isEmpty()) {
          Tensor keys = cat(1, pastK, k.value()), values = cat(1, pastV, v.value());
          var candidates =
              new Evicted.Candidates(keptPositions, cat(1, keptScores, all), keys, values);
          Evicted.handOver(rule, candidates, chosen.rows(), start, stores);
        }
        remember(state, sets, e.value(), fresh, start);
      }
      scope.keep(sets.k.value());
      scope.keep(sets.v.value());
      scope.keep(sets.bias.value());
      scope.keep(sets.positions);
      return sets;
    }
  }

  private static void remember(State state, Sets sets, Tensor e, Tensor fresh, long start) {
    // Copies, since a view of the last set would keep the sets of all chunks alive.
    long last = sets.positions.size(1) - 1;
    Tensor positions = sets.positions.select(1, last).clone();
    Tensor empty = positions.lt(new Scalar(0L));
    state.k.set(sets.k.value().select(1, last).clone());
    state.v.set(sets.v.value().select(1, last).clone());
    state.positions.set(positions);
    state.scores.set(e.select(1, last).masked_fill(empty, scalar(Double.NEGATIVE_INFINITY)));
    state.bias.set(sets.bias.value().select(1, last).clone());
    state.recent.put(start, fresh);
  }

  /** (B, M, E) → (B, M, 1, E): every query head sees one score. */
  private static Var perHead(Tape tape, Var e) {
    long[] shape = e.value().shape();
    return Ops.reshape(tape, e, shape[0], shape[1], 1, shape[2]);
  }

  /** (B, M, E) → (B, M, 1, E). */
  private static Tensor empty(Tensor positions) {
    return positions.lt(new Scalar(0L)).unsqueeze(2);
  }

  /**
   * What joins the logits, (B, M, H, E); −∞ for empty slots.
   *
   * @param e (B, M, 1 or H, E) scores
   * @param none (B, M, 1 or H, E) which slots are empty
   */
  Var bias(Tape tape, Var e, Tensor none) {
    try (Scope scope = new Scope()) {
      // Empty slots hold some token's score: replaced before the logarithm, hidden after. A score
      // too small for float32 still has a logarithm, and a gradient that is a number.
      Tensor scores = e.value().masked_fill(none, scalar(1)).clamp_min(scalar(LEAST));
      if (gamma != null) {
        Var modulated = modulation(tape, e, gamma, scores, none);
        scope.keep(modulated.value());
        return modulated;
      }
      boolean joins = config.selection().joins();
      Tensor bias = spread(joins ? scores.log() : torch.zeros_like(scores), none);
      if (!joins) return Var.constant(scope.keep(bias));
      return tape.record(
          scope.keep(bias),
          List.of(e),
          List.of(scores, none),
          d -> e.giveGradient(like(scores, d).div(scores).masked_fill(none, scalar(0))));
    }
  }

  /** γ_h · log(1 + e). */
  private Var modulation(Tape tape, Var e, Parameter gamma, Tensor scores, Tensor none) {
    try (Scope scope = new Scope()) {
      Tensor rate = accumulated(gamma.value()).reshape(-1, 1); // (H, 1)
      Tensor log = scores.log1p();
      return tape.record(
          scope.keep(spread(rate.mul(log), none)),
          List.of(e, gamma),
          List.of(rate, log, scores, none),
          d -> {
            Tensor known = d.masked_fill(none, scalar(0));
            e.giveGradient(like(scores, known.mul(rate)).div(scores.add(scalar(1))));
            gamma.giveGradient(as(known.mul(log).sum(0, 1, 3), gamma.value()));
          });
    }
  }

  /** To all heads, (B, M, H, E), empty slots hidden. */
  private Tensor spread(Tensor bias, Tensor none) {
    return bias.masked_fill(none, scalar(Double.NEGATIVE_INFINITY))
        .expand(none.size(0), none.size(1), heads, none.size(3))
        .contiguous();
  }

  /** Heads' gradients (B, M, H, E) as those of scores that all heads share, if they do. */
  private static Tensor like(Tensor scores, Tensor gradients) {
    boolean shared = scores.size(2) < gradients.size(2);
    return shared ? gradients.sum(new long[] {2}, true, new ScalarTypeOptional()) : gradients;
  }

  /** Whether {@link AttentionPlan} knows such a memory: without a bar, and by a score it knows. */
  boolean plans() {
    boolean plain = config.threshold() == null && !config.positions().turnsKeys();
    return plain && scorer.plans();
  }

  EideticSelect.Rule rule() {
    return rule;
  }

  @Override
  public void name(Names names) {
    names.in(config.selection().joins() ? "importance" : "innovation", scorer);
    names.add("innovation.gamma", gamma);
  }
}
