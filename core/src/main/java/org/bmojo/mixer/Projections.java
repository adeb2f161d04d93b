package org.bmojo.mixer;

import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryTable;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The learnt maps around attention: from the layer's input to heads, and from heads to its output.
 */
final class Projections implements Names.Named {
  /**
   * The short convolution in front: x + silu(conv(x)).
   *
   * @param weight (d, K)
   * @param bias (d)
   */
  record Convolution(Parameter weight, Parameter bias) implements Names.Named {
    CausalConv.Inputs inputs(Tensor x) {
      return new CausalConv.Inputs(x, weight.value(), bias.value(), null);
    }

    @Override
    public void name(Names names) {
      names.add("weight", weight).add("bias", bias);
    }
  }

  private static final double NORM_EPS = 1e-6;

  private final AttentionConfig config;
  private final @Nullable Convolution convolution;
  private final Linear q; // (H·D, d)
  private final Linear k; // (G·D, d)
  private final Linear v; // (G·D, d)
  private final Linear o; // (d, H·D)
  private final @Nullable Linear fadingK; // null where tied
  private final @Nullable Linear fadingV;
  private final @Nullable Norm qNorm;
  private final @Nullable Norm kNorm;
  private final @Nullable RotaryTable rotary;

  Projections(AttentionConfig config, int width, Initializer init) {
    this.config = config;
    int taps = config.convolution();
    double bound = taps == 0 ? 0 : 1 / Math.sqrt(taps);
    convolution =
        taps == 0
            ? null
            : new Convolution(
                Parameter.undecayed(init.uniform(-bound, bound, width, taps)),
                Parameter.undecayed(init.uniform(-bound, bound, width)));
    long queries = (long) config.heads() * config.headDim();
    long keys = (long) config.kvHeads() * config.headDim();
    q = Linear.create(init, width, queries);
    k = Linear.create(init, width, keys);
    v = Linear.create(init, width, keys);
    o = Linear.create(init, queries, width);
    boolean own = config.fading() > 0 && !config.tied();
    fadingK = own ? Linear.create(init, width, keys) : null;
    fadingV = own ? Linear.create(init, width, keys) : null;
    qNorm = config.qkNorm() ? Norm.create(init, config.headDim(), NORM_EPS) : null;
    kNorm = config.qkNorm() ? Norm.create(init, config.headDim(), NORM_EPS) : null;
    rotary = config.ropeBase() > 0 ? new RotaryTable(config.headDim(), config.ropeBase()) : null;
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

  @Nullable Convolution convolution() {
    return convolution;
  }

  @Nullable RotaryTable rotary() {
    return rotary;
  }

  Geometry geometry(long start) {
    return BMojo.geometry(config, start);
  }

  /** x + silu(conv(x)), or x itself in a layer without convolution. */
  Var shortConvolution(Tape tape, Var x, @Nullable MixerState state) {
    if (convolution == null) return x;
    var held = state == null ? null : state.attention().convolution;
    var convolved =
        KernelOps.causalConv(
            tape, x, convolution.weight, convolution.bias, held == null ? null : held.get());
    if (held != null) held.set(convolved.last());
    return Ops.add(tape, x, convolved.y());
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

  /** The state's outputs as keys, unrotated. */
  Var fadingKeys(Tape tape, Var y) {
    return heads(tape, y, fadingK == null ? k : fadingK, config.kvHeads(), kNorm);
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

  @Override
  public void name(Names names) {
    names
        .in("conv", convolution)
        .in("q_proj", q)
        .in("k_proj", k)
        .in("v_proj", v)
        .in("o_proj", o)
        .in("fading_k_proj", fadingK)
        .in("fading_v_proj", fadingV)
        .in("q_norm", qNorm)
        .in("k_norm", kNorm);
  }
}
