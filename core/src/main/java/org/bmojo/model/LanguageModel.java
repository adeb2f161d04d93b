package org.bmojo.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.mixer.BMojo;
import org.bmojo.mixer.MixerState;
import org.bmojo.mixer.Packing;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Token ids in, logits of the next token out. */
public final class LanguageModel implements Trainable, Names.Named, AutoCloseable {
  /** Maps that pass through fewer numbers than this are not worth quantising, and feel it most. */
  private static final long LOW_RANK = 128;

  private final ModelConfig config;
  final Parameter embedding; // (V, d)
  final List<Block> blocks = new ArrayList<>();
  final Norm norm;
  private final Head head;
  private @Nullable TokenStep tokenStep;
  private boolean planned; // whether tokenStep says what there is
  private Recompute recompute = Recompute.NONE;

  private LanguageModel(ModelConfig config, Initializer init) {
    this.config = config;
    embedding = Parameter.decaying(init.normal(0.02, config.vocabulary(), config.width()));
    Initializer inside = init.forBranches(branches(config));
    for (BlockConfig layer : config.layers()) {
      blocks.add(new Block(layer, config.width(), config.normEps(), inside));
    }
    norm = Norm.create(init, config.width(), config.normEps());
    boolean tied = config.tied();
    head =
        new Head(
            embedding,
            tied
                ? null
                : Parameter.decaying(init.normal(0.02, config.vocabulary(), config.width())));
  }

  /**
   * What adds to the residual stream: a mixer in every layer, and a perceptron where it has one.
   */
  private static long branches(ModelConfig config) {
    return config.layers().stream().mapToLong(b -> b.mlp() > 0 ? 2 : 1).sum();
  }

  /**
   * A model with fresh weights.
   *
   * @param seed the same seed gives the same weights
   */
  public static LanguageModel create(ModelConfig config, long seed) {
    return create(config, seed, ScalarType.Float);
  }

  /** The same with weights of another type: float64 for tests. */
  public static LanguageModel create(ModelConfig config, long seed, ScalarType type) {
    try (Scope scope = new Scope()) {
      return new LanguageModel(config, new Initializer(seed, type));
    }
  }

  /**
   * A model whose weights have shapes but no numbers and take no memory, until each {@link
   * Parameter#borrow borrows} one, as a loader makes it.
   */
  public static LanguageModel shapes(ModelConfig config, ScalarType type) {
    try (Scope scope = new Scope()) {
      return new LanguageModel(config, Initializer.shapes(type));
    }
  }

  /** What the model is made of. */
  public ModelConfig config() {
    return config;
  }

  /** The mixers, first to last. */
  public List<BMojo> mixers() {
    return blocks.stream().map(b -> b.mixer).toList();
  }

  /**
   * Moves the weights; see {@link Parameter#place}. Before training and before states are made.
   *
   * @param trained whether training needs the weights as they were, besides
   */
  public void place(Placement placement, boolean trained) {
    if (placement.isDefault()) return; // Where models are made.
    forgetPlan();
    Device device = placement.libtorch();
    parameters().values().forEach(p -> p.place(device, placement.type(), trained));
  }

  /**
   * Keeps the matrices in fewer bits from now on, for inference on the CPU. Maps of low rank stay
   * bfloat16, gains, biases, decay rates and the rows of the embedding as they are. After this the
   * model can neither be trained nor saved.
   *
   * @throws BadInput if the weights are on a GPU, or packed already
   */
  public void pack(Format format) {
    if (format == Format.FP32) return;
    if (isPacked() || !device().is_cpu()) {
      throw new BadInput(
          "weights in " + format + " of a model that is on a GPU or packed already",
          "expected a model on the CPU as it was loaded",
          "Use --device cpu, or --precision bf16 on a GPU");
    }
    forgetPlan();
    for (Parameter p : parameters().values()) {
      if (p == embedding || p.value().dim() != 2 || !p.decays()) continue;
      boolean low = Math.min(p.value().size(0), p.value().size(1)) < LOW_RANK;
      p.pack(low && p != head.weight() ? Format.BF16 : format);
    }
    head.pack(format);
  }

  /** Whether {@link #pack} has taken the weights away. */
  public boolean isPacked() {
    return head.packed() != null;
  }

  /** Bytes of all weights that a token's step reads. */
  public long stepBytes() {
    long bytes = 0;
    for (Parameter p : parameters().values()) {
      PackedMatrix packed = p == head.weight() ? head.packed() : p.packed();
      boolean looked = p == embedding && !head.isTied();
      if (packed != null) bytes += packed.bytes();
      else if (!looked) bytes += p.value().numel() * p.value().element_size();
    }
    return bytes;
  }

  /**
   * Refuses a packed model.
   *
   * @param purpose what somebody is about to do with it
   */
  public void requireWhole(String purpose) {
    PackedMatrix packed = head.packed();
    if (packed == null) return;
    throw new BadInput(
        purpose + " a model whose weights are packed in " + packed.format(),
        "expected the weights themselves",
        "Load it without --weights");
  }

  /** The packed form of the head; null for a model that is not packed. */
  public @Nullable PackedMatrix packedHead() {
    return head.packed();
  }

  /** What training makes again in the backward pass; nothing unless told. */
  public void recompute(Recompute what) {
    recompute = what;
  }

  /** Shortens windows to a share of their length for the passes that follow; 1 for their own. */
  void narrowWindows(double share) {
    forgetPlan();
    blocks.forEach(block -> block.mixer.narrowWindow(share));
  }

  /** Where the weights are. */
  @Override
  public Device device() {
    return embedding.value().device();
  }

  /** All weights by name, in model order. */
  @Override
  public Map<String, Parameter> parameters() {
    return Names.of(this);
  }

  /**
   * Takes the weights of a model that has the same ones; what has none may differ, such as a
   * window.
   *
   * @param other unchanged
   * @throws BadInput if it has others, or of other shapes; nothing has changed then
   */
  public void copyWeights(LanguageModel other) {
    Map<String, Parameter> own = parameters(), given = other.parameters();
    own.forEach((name, p) -> {
      Parameter from = given.get(name);
      if (from != null && Arrays.equals(Shapes.of(p.value()), Shapes.of(from.value()))) return;
      throw new BadInput(
          from == null ? "no weight " + name : name + " of another shape",
          "expected a model with the same weights",
          "Leave --model out, or change only what has no weights");
    });
    if (!own.keySet().equals(given.keySet())) {
      throw new BadInput(
          given.size() + " weights",
          "expected the same " + own.size(),
          "Leave --model out, or change only what has no weights");
    }
    forgetPlan();
    try (Scope _ = new Scope()) {
      own.forEach((name, p) -> {
        Parameter from = given.get(name);
        if (from != null) p.value().copy_(from.value());
      });
    }
  }

  /** How many numbers the weights are. */
  public long parameterCount() {
    return parameters().values().stream().mapToLong(p -> p.value().numel()).sum();
  }

  /** The state before the first token of {@code batch} sequences. */
  public ModelState newState(long batch) {
    return new ModelState(blocks.stream().map(b -> b.mixer.newState(batch)).toList());
  }

  /**
   * One state from those of several chunks of a context: read as a batch, each from the beginning,
   * they become what a query goes on from. For models whose every layer is a Mamba-2.
   *
   * @param chunks unchanged
   */
  public ModelState compose(ModelState chunks) {
    List<MixerState> states = new ArrayList<>();
    try {
      for (int i = 0; i < blocks.size(); i++) {
        states.add(blocks.get(i).mixer.compose(chunks.layers().get(i)));
      }
    } catch (BadInput e) {
      states.forEach(MixerState::close);
      throw e;
    }
    return new ModelState(states);
  }

  /**
   * What the head reads.
   *
   * @param ids (B, T) int64, on the CPU or where the weights are
   * @param state advanced past the ids; null for sequences that begin and end here
   * @return (B, T, d)
   * @throws BadInput if an id is not in the vocabulary
   */
  public Var hidden(Tape tape, Tensor ids, @Nullable ModelState state) {
    return hidden(tape, ids, null, state);
  }

  /**
   * The same of rows that hold several documents.
   *
   * @param begin as {@link Batch#begin} tells; null for one document a row
   */
  public Var hidden(Tape tape, Tensor ids, @Nullable Tensor begin, @Nullable ModelState state) {
    if (tape.isRecording()) forgetPlan();
    tape.thrifty(recompute == Recompute.LIGHT && state == null);
    try (Scope scope = new Scope()) {
      Var x = embed(tape, ids);
      Packing packing = begin == null ? null : Packing.of(there(begin, ScalarType.Int));
      List<Tensor> read = packing == null ? List.of() : packing.tensors();
      for (int i = 0; i < blocks.size(); i++) {
        Block block = blocks.get(i);
        x =
            recompute == Recompute.BLOCKS && state == null
                ? tape.recomputed(x, read, (t, in) -> block.forward(t, in, packing, null))
                : block.forward(tape, x, packing, state == null ? null : state.layers().get(i));
      }
      Var out = norm.forward(tape, x);
      scope.keep(out.value());
      return out;
    }
  }

  /**
   * What passes between blocks: the embeddings, the output of each block, and what the head reads.
   *
   * @param ids (B, T) int64
   * @return 2 + layers tensors (B, T, d)
   */
  public List<Tensor> hiddenStates(Tensor ids) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      List<Tensor> states = new ArrayList<>();
      Var x = embed(tape, ids);
      states.add(scope.keep(x.value()));
      for (Block block : blocks) {
        x = block.forward(tape, x, null, null);
        states.add(scope.keep(x.value()));
      }
      states.add(scope.keep(norm.forward(tape, x).value()));
      return states;
    }
  }

  /** Logits of every position, (B, T, V), float32 or float64. */
  public Tensor logits(Tensor ids, @Nullable ModelState state) {
    return logits(ids, null, state);
  }

  /**
   * The same of rows that hold several documents.
   *
   * @param begin as {@link Batch#begin} tells; null for one document a row
   */
  public Tensor logits(Tensor ids, @Nullable Tensor begin, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor hidden = hidden(tape, ids, begin, state).value();
      return scope.keep(head.logits(hidden));
    }
  }

  /** Logits after the last position only, (B, V): what generation needs of a prompt. */
  public Tensor lastLogits(Tensor ids, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Var x = embed(tape, ids);
      int end = blocks.size() - 1;
      for (int i = 0; i < end; i++) {
        x = blocks.get(i).forward(tape, x, null, state == null ? null : state.layers().get(i));
      }
      // Nobody reads what the last block makes of earlier positions.
      Tensor last =
          blocks.get(end).last(tape, x.value(), state == null ? null : state.layers().get(end));
      Tensor hidden = norm.forward(tape, Var.constant(last)).value().select(1, 0);
      return scope.keep(head.logits(hidden));
    }
  }

  /**
   * Logits of some positions only, (K, V): what a test needs that asks here and there.
   *
   * @param ids (B, T) int64
   * @param rows (K) int64, indices into the flattened (B·T) positions
   */
  public Tensor logitsAt(Tensor ids, Tensor rows, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor hidden = hidden(tape, ids, state).value().reshape(-1, config.width());
      Tensor asked = hidden.index_select(0, there(rows)); // (K, d)
      return scope.keep(head.logits(asked));
    }
  }

  /**
   * One token of each sequence, in constant time and memory. Sequences need not be in step.
   *
   * @param ids (B, 1) int64
   * @return logits of the next token, (B, V)
   */
  public Tensor step(Tensor ids, ModelState state) {
    TokenStep quick = ids.numel() == 1 ? tokenStep() : null;
    return quick != null && quick.serves(state) ? quick.step(ids, state) : generalStep(ids, state);
  }

  /** {@link #step}, operation by operation. */
  Tensor generalStep(Tensor ids, ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor x = embed(tape, ids).value(); // (B, 1, d)
      for (int i = 0; i < blocks.size(); i++) {
        x = blocks.get(i).step(x, state.layers().get(i));
      }
      Tensor hidden = norm.forward(tape, Var.constant(x)).value().select(1, 0);
      return scope.keep(head.logits(hidden));
    }
  }

  /** The program for one sequence's tokens; null where there is none for such a model. */
  synchronized @Nullable TokenStep tokenStep() {
    TokenStep made = tokenStep;
    if (planned && (made == null || made.isCurrent())) return made;
    planned = true;
    tokenStep =
        device().is_cpu()
            ? TokenStep.of(this, embedding, blocks, norm, headWeight(), head.packed())
            : null;
    return tokenStep;
  }

  /** Weights change, or are about to: what was made of their numbers is forgotten. */
  private synchronized void forgetPlan() {
    planned = false;
    tokenStep = null;
  }

  @Override
  public void check(Batch batch) {
    refuseForeignIds(batch.ids());
  }

  @Override
  public boolean repeats() {
    return true;
  }

  /**
   * The mean cross-entropy over labelled positions, in nats, a scalar. Losses that layers have of
   * their own are added to the tape, and join in {@link Tape#backward}.
   */
  @Override
  public Var loss(Tape tape, Batch batch) {
    return loss(tape, batch, null);
  }

  /**
   * The same of sequences that go on from {@code state}, which no gradient flows into.
   *
   * @param state advanced past the batch; null for sequences that begin and end here
   */
  public Var loss(Tape tape, Batch batch, @Nullable ModelState state) {
    try (Scope scope = new Scope()) {
      Var hidden = hidden(tape, batch.ids(), batch.begin(), state);
      Var rows = Ops.reshape(tape, hidden, -1, config.width());
      Tensor targets = batch.targets().reshape(-1);
      if (batch.labelled() < batch.tokens() && targets.device().is_cpu()) {
        // The head costs as much as the rest of a small model: not for rows without a label.
        // Which these are must be known to the host; of targets on a GPU it does not ask.
        Tensor labelled = targets.ne(new Scalar(LinearCrossEntropy.IGNORED)).nonzero().squeeze(1);
        rows = Ops.selectRows(tape, rows, there(labelled));
        targets = targets.index_select(0, labelled);
      }
      targets = there(targets);
      Var loss = KernelOps.meanCrossEntropy(tape, rows, headWeight(), targets, batch.labelled());
      scope.keep(loss.value());
      return loss;
    }
  }

  /** The loss of every position, (B, T), 0 where it has no label. */
  public Tensor losses(Batch batch, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor hidden = hidden(tape, batch.ids(), batch.begin(), state).value();
      Tensor rows = hidden.reshape(-1, config.width());
      Tensor losses =
          Kernels.of(rows)
              .linearCrossEntropy()
              .forward(rows, head.whole(), there(batch.targets().reshape(-1)), 1, false)
              .losses();
      return scope.keep(losses.reshape(batch.ids().size(0), batch.ids().size(1)));
    }
  }

  Parameter headWeight() {
    return head.weight();
  }

  private Var embed(Tape tape, Tensor ids) {
    refuseForeignIds(ids);
    return Ops.embedding(tape, embedding, there(ids));
  }

  /** Numbers where the weights are. */
  private Tensor there(Tensor ids) {
    return there(ids, ScalarType.Long);
  }

  private Tensor there(Tensor numbers, ScalarType type) {
    return Ids.on(device(), numbers, type);
  }

  void refuseForeignIds(Tensor ids) {
    Ids.refuseForeign(ids, config.vocabulary());
  }

  @Override
  public void name(Names names) {
    names.add("embed_tokens.weight", embedding);
    for (int i = 0; i < blocks.size(); i++) names.in("layers." + i, blocks.get(i));
    names.in("norm", norm);
    names.in("lm_head", head);
  }

  /** Frees the weights. */
  @Override
  public void close() {
    forgetPlan();
    parameters().values().forEach(Parameter::close);
    head.close();
  }
}
