package org.bmojo.mixer;

import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bmojo.layer.RotaryTable;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The learnt maps around attention: from the layer's input to heads, and from heads to its output.
 */
final class Projections implements Names.Named {
  private final AttentionConfig config;
  private final @Nullable ShortConvolution convolution; // x + silu(conv(x)) feeds q, k and v
  final Linear q; // (H·D, d)
  final Linear k; // (G·D, d)
  final Linear v; // (G·D, d)
  final Linear o; // (d, H·D)
  private final @Nullable Linear fadingQ; // null where they share the window's
  private final @Nullable Linear fadingK; // null where tied
  private final @Nullable Linear fadingV;
  private final @Nullable Norm qNorm;
  private final @Nullable Norm kNorm;
  private final @Nullable Norm fadingQNorm; // null where they share the window's
  private final @Nullable Norm fadingKNorm;
  private final @Nullable RotaryCache rotary;

  /** How far the window reaches now. */
  private int window;

  Projections(AttentionConfig config, int width, Initializer init) {
    this.config = config;
    window = config.reach();
    AttentionDetails details = config.details();
    int taps = config.convolution(), dim = config.headDim();
    convolution = taps == 0 ? null : ShortConvolution.create(init, width, taps, true);
    long queries = (long) config.heads() * dim, keys = (long) config.kvHeads() * dim;
    boolean biased = details.qkvBias();
    q = Linear.create(init, width, queries, biased);
    k = Linear.create(init, width, keys, biased);
    v = Linear.create(init, width, keys, biased);
    o = Linear.output(init, queries, width, details.outputBias());
    boolean untied = config.fading() > 0 && !config.tied();
    boolean own = details.fadingQueries();
    fadingQ = own ? Linear.create(init, width, queries, biased) : null;
    fadingK = untied ? Linear.create(init, width, keys, biased) : null;
    fadingV = untied ? Linear.create(init, width, keys, biased) : null;
    boolean normed = config.qkNorm();
    double eps = details.qkNormEps();
    qNorm = normed ? Norm.create(init, dim, eps) : null;
    kNorm = normed ? Norm.create(init, dim, eps) : null;
    fadingQNorm = normed && own ? Norm.create(init, dim, eps) : null;
    fadingKNorm = normed && own ? Norm.create(init, dim, eps) : null;
    rotary =
        config.ropeBase() > 0
            ? new RotaryCache(
                new RotaryTable(
                    dim, config.ropeBase(), details.ropeScaling(), details.singleAngles()))
            : null;
  }

  /** Gives the type and device of states. */
  Tensor like() {
    return q.weight().value();
  }

  /** d. */
  long width() {
    return q.weight().value().size(1);
  }

  AttentionConfig config() {
    return config;
  }

  @Nullable ShortConvolution convolution() {
    return convolution;
  }

  @Nullable RotaryCache rotary() {
    return rotary;
  }

  /** Where the queries of a call stand. */
  Geometry geometry(long start) {
    return new Geometry(start, window, config.fading(), config.chunk(), config.scale());
  }

  /** Sees a share of the window only, at least C tokens; 1 for all of it. */
  void narrowWindow(double share) {
    int reach = config.reach();
    boolean all = config.window() == null || share >= 1;
    window =
        all ? reach : Math.clamp(Math.round(share * reach), Math.min(config.chunk(), reach), reach);
  }

  /** x + silu(conv(x)), or x itself in a layer without convolution. */
  Var shortConvolution(Tape tape, Var x, @Nullable Packing packing, @Nullable MixerState state) {
    if (convolution == null) return x;
    var held = state == null ? null : state.attention().convolution;
    return Ops.add(tape, x, convolution.forward(tape, x, packing, held));
  }

  /** (B, T, d) → (B, T, H, D), unrotated. */
  Var queries(Tape tape, Var x) {
    return heads(tape, x, q, config.heads(), qNorm);
  }

  /** (B, T, d) → (B, T, G, D), unrotated. */
  Var keys(Tape tape, Var x) {
    return heads(tape, x, k, config.kvHeads(), kNorm);
  }

  /** (B, T, d) → (B, T, G, D). */
  Var values(Tape tape, Var x) {
    return heads(tape, x, v, config.kvHeads(), null);
  }

  /** Queries of fading keys, unrotated; null where the window's queries serve. */
  @Nullable Var fadingQueries(Tape tape, Var x) {
    return fadingQ == null ? null : heads(tape, x, fadingQ, config.heads(), fadingQNorm);
  }

  /** The state's outputs as keys, unrotated. */
  Var fadingKeys(Tape tape, Var y) {
    Norm norm = fadingKNorm == null ? kNorm : fadingKNorm;
    return heads(tape, y, fadingK == null ? k : fadingK, config.kvHeads(), norm);
  }

  /** The state's outputs as values. */
  Var fadingValues(Tape tape, Var y) {
    return heads(tape, y, fadingV == null ? v : fadingV, config.kvHeads(), null);
  }

  private Var heads(Tape tape, Var x, Linear map, int count, @Nullable Norm norm) {
    long batch = x.value().size(0), tokens = x.value().size(1);
    Var flat = map.forward(tape, x);
    Var split = Ops.reshape(tape, flat, batch, tokens, count, config.headDim());
    return norm == null ? split : norm.forward(tape, split);
  }

  /** (B, T, H, D) → (B, T, d). */
  Var output(Tape tape, Var heads) {
    long batch = heads.value().size(0), tokens = heads.value().size(1);
    return o.forward(tape, Ops.reshape(tape, heads, batch, tokens, -1));
  }

  /** Whether {@link AttentionPlan} knows such a layer. */
  boolean plans() {
    return fadingQ == null && fadingKNorm == null;
  }

  /** The maps of a plan, by what they make. */
  Linear queryMap() {
    return q;
  }

  Linear keyMap() {
    return k;
  }

  Linear valueMap() {
    return v;
  }

  Linear fadingKeyMap() {
    return fadingK == null ? k : fadingK;
  }

  Linear fadingValueMap() {
    return fadingV == null ? v : fadingV;
  }

  Linear outputMap() {
    return o;
  }

  @Nullable Norm queryNorm() {
    return qNorm;
  }

  @Nullable Norm keyNorm() {
    return kNorm;
  }

  @Override
  public void name(Names names) {
    names
        .in("conv", convolution)
        .in("q_proj", q)
        .in("k_proj", k)
        .in("v_proj", v)
        .in("o_proj", o)
        .in("fading_q_proj", fadingQ)
        .in("fading_k_proj", fadingK)
        .in("fading_v_proj", fadingV)
        .in("q_norm", qNorm)
        .in("k_norm", kNorm)
        .in("fading_q_norm", fadingQNorm)
        .in("fading_k_norm", fadingKNorm);
  }
}
