package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.token.Attend;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.RotaryCache;
import org.bmojo.tape.KernelOps.StreamVars;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * All that one layer remembers of a batch of sequences. Its size does not depend on how much was
 * read (but for full attention, which remembers everything). Sequences may join and leave: a row is
 * a sequence's whole memory, and has nothing to do with the rows beside it.
 */
public final class MixerState implements StateParts.Parted, AutoCloseable {
  private final BMojo layer;

  /** Tokens that each sequence has read. */
  final Positions positions;

  /**
   * Told whenever the sets in use change; for those who want to see memory work. Only of sequences
   * that are in step.
   */
  public interface RefreshListener {
    /**
     * The sets that a call's queries see.
     *
     * @param firstChunk chunk of the first set
     * @param positions (B, M, E) int64, ascending, −1 for empty slots; valid during the call
     */
    void refreshed(long firstChunk, Tensor positions);
  }

  private @Nullable RefreshListener listener;
  private @Nullable Consumer<AttentionWeights> watcher;

  final Ssm.@Nullable SsmState ssm;
  private final @Nullable Attention attention;

  MixerState(
      BMojo layer,
      @Nullable Ssm ssm,
      @Nullable Projections projections,
      @Nullable EideticMemory eidetic,
      @Nullable Retrieval retrieval,
      long batch) {
    this.layer = layer;
    this.positions = Positions.start(batch);
    this.ssm = ssm == null ? null : ssm.newState(positions);
    this.attention =
        projections == null ? null : new Attention(projections, eidetic, retrieval, batch);
  }

  /** In a layer that is a state space and nothing else. */
  MixerState(BMojo layer, Ssm.SsmState ssm, Positions positions) {
    this.layer = layer;
    this.positions = positions;
    this.ssm = ssm;
    this.attention = null;
  }

  /** Sequences, B. */
  public int batch() {
    return positions.batch();
  }

  /**
   * Tokens that all sequences have read.
   *
   * @throws BadInput if they have not read equally many
   */
  public long position() {
    return positions.common();
  }

  /** Tokens that sequence {@code row} has read. */
  public long position(int row) {
    return positions.of(row);
  }

  /**
   * Copies of some sequences' memories.
   *
   * @return the caller's to close
   */
  public MixerState copy(int... rows) {
    MixerState copy = layer.newState(0);
    copy.positions.append(positions);
    copy.positions.retain(rows);
    if (attention != null) copy.attention().stores.copy(attention.stores, rows);
    StateParts.of(copy).copy(StateParts.of(this), rows);
    return copy;
  }

  /** Goes on with these sequences only, in this order. */
  public void retain(int... rows) {
    StateParts.of(this).retain(rows);
    if (attention != null) attention.stores.retain(rows);
    positions.retain(rows);
  }

  /**
   * Adds sequences behind the present ones; need not be in step with them.
   *
   * @param more of the same layer; unchanged
   */
  public void append(MixerState more) {
    if (attention != null) {
      attention.stores.append(more.attention().stores, batch(), more.batch());
    }
    StateParts.of(this).append(StateParts.of(more));
    positions.append(more.positions);
  }

  /**
   * Copies a sequence's memory over that of row {@code to}, in place where there is room for it.
   *
   * @param other of the same layer; unchanged
   */
  public void put(int to, MixerState other, int from) {
    StateParts.of(this).put(to, StateParts.of(other), from);
    positions.set(to, other.position(from));
  }

  /** Says that some sequences have read a token more, whoever advanced their tensors. */
  public void advance(int... rows) {
    for (int row : rows) positions.set(row, positions.of(row) + 1);
  }

  /** Makes room for so many tokens in a layer that remembers everything. */
  public void reserve(long tokens) {
    if (attention == null || attention.config.window() != null) return;
    attention.k.grow(tokens);
    attention.v.grow(tokens);
  }

  /** Tokens that there is room for: {@link Long#MAX_VALUE} where the oldest are forgotten. */
  public long room() {
    boolean all = attention != null && attention.config.window() == null;
    return all && attention != null ? attention.k.capacity() : Long.MAX_VALUE;
  }

  /** The tensors that make up this state, by name; each (B, …), valid until it is advanced. */
  public Map<String, Tensor> tensors() {
    return StateParts.of(this).tensors();
  }

  /**
   * Whether a part, by its name in {@link #tensors} or in a model's, is keys or values: these may
   * be kept in fewer bits, since attention takes means of them.
   */
  public static boolean bearsRounding(String name) {
    return name.matches("(.*\\.)?attention\\.((fading_)?[kv]\\.rows|eidetic\\.[kv])");
  }

  /**
   * Becomes what {@link #tensors} told of another state of one sequence, in the same types but for
   * keys and values, which may be narrower.
   *
   * @param position tokens it had read
   * @throws BadInput if it is no state of such a layer; this is unchanged then
   */
  public void fill(Map<String, Tensor> tensors, long position) {
    StateParts.of(this).fill(tensors, position);
    if (batch() == 0) positions.append(Positions.start(1));
    positions.set(position);
  }

  /**
   * Lets each sequence's memory go on in a store; without one, a layer with {@link StorageConfig}
   * keeps all its past itself. Does nothing in a layer without storage.
   *
   * @param storages one a sequence; none to let go of them
   */
  public void attach(List<Storage> storages) {
    if (attention == null || attention.retrieval == null) return;
    if (!storages.isEmpty() && storages.size() != batch()) {
      throw new BadInput(
          storages.size() + " storages for " + batch() + " sequences",
          "expected one for each",
          "Attach as many as there are");
    }
    attention.stores.set(storages);
  }

  /**
   * Hands to the store what this still holds, since the sequences end here: a document is to be
   * found whole.
   */
  public void handOverRest() {
    if (attention == null || !attention.hasStorage()) return;
    layer.handOverRest(this);
  }

  /** Tells {@code listener} of every eidetic set from now on. */
  public void listen(RefreshListener listener) {
    this.listener = listener;
  }

  void refreshed(long firstChunk, Tensor positions) {
    if (listener != null) listener.refreshed(firstChunk, positions);
  }

  /**
   * Tells {@code watcher} what each token attends to from now on; null to end that. Only of one
   * sequence, and of the general step.
   */
  public void watch(@Nullable Consumer<AttentionWeights> watcher) {
    this.watcher = watcher;
  }

  void attended(MemoryAttention.StepInputs seen, @Nullable Tensor fadingQ) {
    if (watcher == null) return;
    watcher.accept(AttentionWeights.of(seen, fadingQ, eideticPositions()));
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
  static final class Attention implements StateParts.Parted, AutoCloseable {
    private final AttentionConfig config;
    final @Nullable Owned convolution; // (B, K−1, d)
    final Ring k, v; // (B, W (+ C), G, D), keys rotated
    final @Nullable Ring fadingK, fadingV; // (B, W + F, G, D)
    final EideticMemory.@Nullable State eidetic;
    final @Nullable RetrievalState retrieval;
    final Stores stores = new Stores();

    Attention(
        Projections p, @Nullable EideticMemory memory, @Nullable Retrieval storage, long batch) {
      config = p.config();
      try (Scope scope = new Scope()) {
        Tensor like = p.like();
        var conv = p.convolution();
        convolution = conv == null ? null : conv.newState(batch, like);
        int groups = config.kvHeads(), dim = config.headDim();
        boolean all = config.window() == null;
        // With eidetic memory, tokens that left the window wait up to C tokens for the next
        // refresh.
        int window = all ? 0 : config.reach() + waiting();
        k = new Ring(window, like, batch, groups, dim);
        v = new Ring(window, like, batch, groups, dim);
        boolean fades = config.fading() > 0;
        int span = config.reach() + config.fading();
        fadingK = fades ? new Ring(span, like, batch, groups, dim) : null;
        fadingV = fades ? new Ring(span, like, batch, groups, dim) : null;
        eidetic = memory == null ? null : new EideticMemory.State(memory, like, batch, groups, dim);
        retrieval = storage == null ? null : new RetrievalState(storage, like, batch, dim);
      }
    }

    /** Tokens that left the window and wait for the next refresh, and one. */
    private int waiting() {
      EideticConfig memory = config.eidetic();
      return memory == null ? 0 : memory.behind(config.reach()) - config.reach() + memory.chunk();
    }

    boolean hasStorage() {
      return !stores.isEmpty();
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
      long rows = Math.min(start, config.reach() + waiting() - 1L);
      Tensor keys = k.before(start, rows);
      if (rotary != null && rows > 0) {
        var angles = rotary.at(keys, start - rows, rows);
        keys = Kernels.of(keys).rotary().backward(keys, angles.cos(), angles.sin());
        double grown = rotary.table().magnitude() * rotary.table().magnitude();
        if (grown != 1) keys = keys.div(scalar(grown));
      }
      return new MemoryAttention.Stream(keys, v.before(start, rows));
    }

    /** Shows a plan where keys and values of the one sequence are, with room for its next token. */
    void show(Attend.Stream window, Attend.@Nullable Stream fading, long position) {
      if (config.window() == null) {
        k.grow(position + 1);
        v.grow(position + 1);
      }
      window.k().set(TokenPlan.inPlace(k.owned()));
      window.v().set(TokenPlan.inPlace(v.owned()));
      if (fading == null || fadingK == null || fadingV == null) return;
      fading.k().set(TokenPlan.inPlace(fadingK.owned()));
      fading.v().set(TokenPlan.inPlace(fadingV.owned()));
    }

    /** Takes the next token of each sequence, keys rotated. */
    void putOne(Positions at, Var newK, Var newV, @Nullable StreamVars fading) {
      k.putOne(at, newK.value());
      v.putOne(at, newV.value());
      if (fadingK != null && fadingV != null && fading != null) {
        fadingK.putOne(at, fading.k().value());
        fadingV.putOne(at, fading.v().value());
      }
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
    public void parts(StateParts parts) {
      parts.add("convolution", convolution).in("k", k).in("v", v);
      parts.in("fading_k", fadingK).in("fading_v", fadingV).in("eidetic", eidetic);
      parts.in("storage", retrieval);
    }

    @Override
    public void close() {
      if (convolution != null) convolution.close();
      k.close();
      v.close();
      if (fadingK != null) fadingK.close();
      if (fadingV != null) fadingV.close();
      if (eidetic != null) eidetic.close();
      if (retrieval != null) retrieval.close();
    }
  }

  @Override
  public void parts(StateParts parts) {
    parts.in("ssm", ssm).in("attention", attention);
  }

  @Override
  public void close() {
    if (ssm != null) ssm.close();
    if (attention != null) attention.close();
  }
}
