package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.RotaryCache;
import org.bmojo.tape.KernelOps.StreamVars;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * All that one layer remembers of a batch of sequences. Its size does not depend on how much was
 * read (but for full attention, which remembers everything).
 */
public final class MixerState implements AutoCloseable {
  /** Tokens read so far: the position of the next one. */
  long position;

  /** Told whenever the sets in use change; for those who want to see memory work. */
  public interface RefreshListener {
    /**
     * The sets that a call's queries see.
     *
     * @param firstChunk chunk of the first set
     * @param positions (B, M, E) int64, ascending, −1 for empty slots; valid during the call
     */
    void refreshed(long firstChunk, Tensor positions);
  }

  /** B. */
  final long batch;

  private @Nullable RefreshListener listener;

  final Ssm.@Nullable SsmState ssm;
  private final @Nullable Attention attention;

  MixerState(
      MixerConfig config,
      @Nullable Ssm ssm,
      @Nullable Projections projections,
      @Nullable EideticMemory eidetic,
      long batch) {
    this.batch = batch;
    this.ssm = ssm == null ? null : ssm.newState(batch);
    this.attention = projections == null ? null : new Attention(projections, eidetic, batch);
  }

  /** Of one sequence, in a layer that is a state space and nothing else. */
  MixerState(Ssm.SsmState ssm, long position) {
    this.batch = 1;
    this.ssm = ssm;
    this.attention = null;
    this.position = position;
  }

  /** Tokens read so far. */
  public long position() {
    return position;
  }

  /** Tells {@code listener} of every eidetic set from now on. */
  public void listen(RefreshListener listener) {
    this.listener = listener;
  }

  void refreshed(long firstChunk, Tensor positions) {
    if (listener != null) listener.refreshed(firstChunk, positions);
  }

  /** Positions (B, E) that eidetic memory holds, −1 where empty; null in a layer without it. */
  public @Nullable Tensor eideticPositions() {
    if (attention == null || attention.eidetic == null) return null;
    return attention.eidetic.positions.get();
  }

  /** Their scores (B, E), −∞ where empty; null in a layer without eidetic memory. */
  public @Nullable Tensor eideticScores() {
    if (attention == null || attention.eidetic == null) return null;
    return attention.eidetic.scores.get();
  }

  /** The attention's part; only for layers that have one. */
  Attention attention() {
    if (attention == null) throw new IllegalStateException("a layer without attention");
    return attention;
  }

  /** Keys and values of recent tokens, and of those that eidetic memory kept. */
  static final class Attention implements AutoCloseable {
    private final AttentionConfig config;
    final @Nullable Owned convolution; // (B, K−1, d)
    private final Ring k, v; // (B, W (+ C), G, D), keys rotated
    private final @Nullable Ring fadingK, fadingV; // (B, W + F, G, D)
    final EideticMemory.@Nullable State eidetic;

    Attention(Projections p, @Nullable EideticMemory memory, long batch) {
      config = p.config();
      try (Scope scope = new Scope()) {
        Tensor like = p.like();
        var conv = p.convolution();
        convolution = conv == null ? null : conv.newState(batch, like);
        int groups = config.kvHeads(), dim = config.headDim();
        boolean all = config.window() == null;
        // With eidetic memory, tokens that left the window wait up to C tokens for the next
        // refresh.
        int window = all ? 0 : config.reach() + (memory == null ? 0 : config.chunk());
        k = new Ring(window, like, batch, groups, dim);
        v = new Ring(window, like, batch, groups, dim);
        boolean fades = config.fading() > 0;
        int span = config.reach() + config.fading();
        fadingK = fades ? new Ring(span, like, batch, groups, dim) : null;
        fadingV = fades ? new Ring(span, like, batch, groups, dim) : null;
        eidetic = memory == null ? null : new EideticMemory.State(memory, like, batch, groups, dim);
      }
    }

    /** What the window still sees of the tokens before {@code start}. */
    MemoryAttention.@Nullable Stream window(long start) {
      return before(k, v, start, Math.min(start, config.reach() - 1L));
    }

    /** What the fading span still sees of them. */
    MemoryAttention.@Nullable Stream fading(long start) {
      if (fadingK == null || fadingV == null) return null;
      return before(fadingK, fadingV, start, Math.min(start, fadingK.capacity() - 1));
    }

    private static MemoryAttention.@Nullable Stream before(Ring k, Ring v, long end, long rows) {
      if (rows == 0) return null;
      return new MemoryAttention.Stream(k.before(end, rows), v.before(end, rows));
    }

    /** Keys, turned back, and values of the tokens that the next refresh may choose from. */
    MemoryAttention.Stream unrotatedTail(long start, @Nullable RotaryCache rotary) {
      long rows = Math.min(start, (long) config.reach() + config.chunk() - 1);
      Tensor keys = k.before(start, rows);
      if (rotary != null && rows > 0) {
        var angles = rotary.at(keys, start - rows, rows);
        keys = Kernels.of(keys).rotary().backward(keys, angles.cos(), angles.sin());
        double grown = rotary.table().magnitude() * rotary.table().magnitude();
        if (grown != 1) keys = keys.div(scalar(grown));
      }
      return new MemoryAttention.Stream(keys, v.before(start, rows));
    }

    /** Takes new tokens, keys rotated. */
    void put(long start, Var newK, Var newV, @Nullable StreamVars fading) {
      k.put(start, newK.value());
      v.put(start, newV.value());
      if (fadingK != null && fadingV != null && fading != null) {
        fadingK.put(start, fading.k().value());
        fadingV.put(start, fading.v().value());
      }
    }

    MemoryAttention.Stream windowRing() {
      return new MemoryAttention.Stream(k.rows(), v.rows());
    }

    MemoryAttention.@Nullable Stream fadingRing() {
      if (fadingK == null || fadingV == null) return null;
      return new MemoryAttention.Stream(fadingK.rows(), fadingV.rows());
    }

    @Override
    public void close() {
      if (convolution != null) convolution.close();
      k.close();
      v.close();
      if (fadingK != null) fadingK.close();
      if (fadingV != null) fadingV.close();
      if (eidetic != null) eidetic.close();
    }
  }

  @Override
  public void close() {
    if (ssm != null) ssm.close();
    if (attention != null) attention.close();
  }
}
