package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.einsum;

import org.bmojo.kernels.torch.Owned;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The learnt maps of {@link DeltaHeads}: from input to heads, and from heads to output. */
final class HeadProjections implements Names.Named {
  private final DeltaHeads config;
  private final Linear q, k, v; // (heads·D, d)
  private final @Nullable ShortConvolution qConv, kConv, vConv;
  private final @Nullable Expansion expandedK, expandedV;
  private final @Nullable Linear gate; // (E·D, d)
  private final Norm norm; // (D)
  private final Linear o; // (d, E·D)

  HeadProjections(DeltaHeads config, int width, Initializer init) {
    this.config = config;
    int dim = config.headDim(), taps = config.convolution();
    long queries = (long) config.queryHeads() * dim;
    long keys = (long) config.keyHeads() * dim, values = (long) config.valueHeads() * dim;
    long all = (long) config.heads() * dim;
    q = Linear.create(init, width, queries);
    k = Linear.create(init, width, keys);
    v = Linear.create(init, width, values);
    boolean conv = taps > 0, biased = config.convolutionBias();
    qConv = conv ? ShortConvolution.create(init, queries, taps, biased) : null;
    kConv = conv ? ShortConvolution.create(init, keys, taps, biased) : null;
    boolean ofValues = conv && config.valueConvolution();
    vConv = ofValues ? ShortConvolution.create(init, values, taps, biased) : null;
    expandedK = Expansion.create(config, config.keyHeads(), init);
    expandedV = Expansion.create(config, config.valueHeads(), init);
    gate = config.gated() ? Linear.create(init, width, all) : null;
    norm = Norm.create(init, dim, config.normEps());
    o = Linear.output(init, all, width, false);
  }

  /** Inputs that the convolutions remember. */
  static final class State implements StateParts.Parted, AutoCloseable {
    private final @Nullable Owned q, k, v;

    State(HeadProjections p, long batch) {
      q = p.qConv == null ? null : p.qConv.newState(batch, p.q.weight().value());
      k = p.kConv == null ? null : p.kConv.newState(batch, p.q.weight().value());
      v = p.vConv == null ? null : p.vConv.newState(batch, p.q.weight().value());
    }

    @Override
    public void parts(StateParts parts) {
      parts.add("q", q).add("k", k).add("v", v);
    }

    @Override
    public void close() {
      if (q != null) q.close();
      if (k != null) k.close();
      if (v != null) v.close();
    }
  }

  /** (B, T, d) → (B, T, E, D). */
  Var queries(Tape tape, Var x, @Nullable State state) {
    Var flat = activated(tape, q.forward(tape, x), qConv, state == null ? null : state.q);
    return repeated(tape, flat, config.queryHeads());
  }

  /** (B, T, d) → (B, T, E, D). */
  Var keys(Tape tape, Var x, @Nullable State state) {
    Var flat = activated(tape, k.forward(tape, x), kConv, state == null ? null : state.k);
    return expanded(tape, flat, config.keyHeads(), expandedK);
  }

  /** (B, T, d) → (B, T, E, D). */
  Var values(Tape tape, Var x, @Nullable State state) {
    Var flat = v.forward(tape, x);
    if (config.valueConvolution()) {
      flat = activated(tape, flat, vConv, state == null ? null : state.v);
    }
    return expanded(tape, flat, config.valueHeads(), expandedV);
  }

  private static Var activated(
      Tape tape, Var flat, @Nullable ShortConvolution conv, @Nullable Owned state) {
    if (conv != null) return conv.forward(tape, flat, state);
    return TorchFunction.apply(tape, t -> torch.silu(t[0]), flat);
  }

  private Var repeated(Tape tape, Var flat, int count) {
    return Ops.repeatHeads(tape, split(tape, flat, count), config.heads() / count);
  }

  private Var expanded(Tape tape, Var flat, int count, @Nullable Expansion expansion) {
    boolean grouped = config.heads() > config.keyHeads() || config.heads() > config.valueHeads();
    if (expansion == null || !grouped) return repeated(tape, flat, count);
    Parameter mix = expansion.mix;
    Var plain =
        mix == null
            ? repeated(tape, flat, count)
            : TorchFunction.apply(
                tape, t -> einsum("eh,blhd->bled", t[0], t[1]), mix, split(tape, flat, count));
    Var learnt = split(tape, expansion.forward(tape, flat), config.heads());
    return Ops.add(tape, plain, learnt);
  }

  private Var split(Tape tape, Var flat, int count) {
    long batch = flat.value().size(0), tokens = flat.value().size(1);
    return Ops.reshape(tape, flat, batch, tokens, count, config.headDim());
  }

  /** Norm, gate and out-projection: (B, T, E, D) and the layer's input → (B, T, d). */
  Var output(Tape tape, Var heads, Var x) {
    Var even = norm.forward(tape, heads);
    if (gate != null) {
      even = KernelOps.swiGlu(tape, split(tape, gate.forward(tape, x), config.heads()), even);
    }
    Tensor value = even.value();
    return o.forward(tape, Ops.reshape(tape, even, value.size(0), value.size(1), -1));
  }

  @Override
  public void name(Names names) {
    names
        .in("q_proj", q)
        .in("k_proj", k)
        .in("v_proj", v)
        .in("q_conv1d", qConv)
        .in("k_conv1d", kConv)
        .in("v_conv1d", vConv)
        .in("proj_k", expandedK)
        .in("proj_v", expandedV)
        .add("k_rep", expandedK == null ? null : expandedK.mix)
        .add("v_rep", expandedV == null ? null : expandedV.mix)
        .in("g_proj", gate)
        .in("o_norm", norm)
        .in("o_proj", o);
  }

  /**
   * What is added to repeated heads: b(silu(a(flat))).
   *
   * @param a (rank, heads·D)
   * @param b (E·D, rank)
   * @param mix (E, heads) in place of the repetition, or null
   */
  private record Expansion(Linear a, Linear b, @Nullable Parameter mix) implements Names.Named {
    static @Nullable Expansion create(DeltaHeads config, int heads, Initializer init) {
      Integer rank = config.expansionRank();
      if (rank == null) return null;
      long all = (long) config.heads() * config.headDim();
      Linear back = new Linear(Parameter.decaying(init.constant(0, all, rank)), null);
      Parameter mix = null;
      if (config.learntRepeat()) {
        mix = Parameter.undecayed(init.repetition(config.heads(), heads));
      }
      return new Expansion(Linear.create(init, (long) heads * config.headDim(), rank), back, mix);
    }

    Var forward(Tape tape, Var flat) {
      Var low = TorchFunction.apply(tape, t -> torch.silu(t[0]), a.forward(tape, flat));
      return b.forward(tape, low);
    }

    @Override
    public void name(Names names) {
      names.in("linearA", a).in("linearB", b);
    }
  }
}
