package org.bmojo.model;

import static org.bmojo.kernels.torch.Tensors.accumulated;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Recording;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.mixer.BMojo;
import org.bmojo.mixer.MixerState;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Token ids in, logits of the next token out. */
public final class LanguageModel implements Trainable, Names.Named, AutoCloseable {
  private final ModelConfig config;
  final Parameter embedding; // (V, d)
  final List<Block> blocks = new ArrayList<>();
  final Norm norm;
  private final @Nullable Parameter head; // (V, d); null where tied
  private boolean recompute;

  private LanguageModel(ModelConfig config, Initializer init) {
    this.config = config;
    embedding = Parameter.decaying(init.normal(0.02, config.vocabulary(), config.width()));
    Initializer inside = init.forBranches(branches(config));
    for (BlockConfig layer : config.layers()) {
      blocks.add(new Block(layer, config.width(), config.normEps(), inside));
    }
    norm = Norm.create(init, config.width(), config.normEps());
    head =
        config.tied()
            ? null
            : Parameter.decaying(init.normal(0.02, config.vocabulary(), config.width()));
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
    Device device = placement.libtorch();
    parameters().values().forEach(p -> p.place(device, placement.type(), trained));
  }

  /**
   * Whether training runs each block a second time in the backward pass instead of keeping what it
   * made: a third more arithmetic for the memory of one block. The gradients are the same.
   */
  public void recompute(boolean on) {
    recompute = on;
  }

  /** Shortens windows to a share of their length for the passes that follow; 1 for their own. */
  void narrowWindows(double share) {
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
    try (Scope scope = new Scope()) {
      Var x = embed(tape, ids);
      for (int i = 0; i < blocks.size(); i++) {
        Block block = blocks.get(i);
        x =
            recompute && state == null
                ? tape.recomputed(x, (t, in) -> block.forward(t, in, null))
                : block.forward(tape, x, state == null ? null : state.layers().get(i));
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
        x = block.forward(tape, x, null);
        states.add(scope.keep(x.value()));
      }
      states.add(scope.keep(norm.forward(tape, x).value()));
      return states;
    }
  }

  /** Logits of every position, (B, T, V), float32 or float64. */
  public Tensor logits(Tensor ids, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor hidden = hidden(tape, ids, state).value();
      return scope.keep(accumulated(hidden.matmul(headWeight().value().t())));
    }
  }

  /** Logits after the last position only, (B, V): what generation needs of a prompt. */
  public Tensor lastLogits(Tensor ids, @Nullable ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Var x = embed(tape, ids);
      int end = blocks.size() - 1;
      for (int i = 0; i < end; i++) {
        x = blocks.get(i).forward(tape, x, state == null ? null : state.layers().get(i));
      }
      // Nobody reads what the last block makes of earlier positions.
      Tensor last =
          blocks.get(end).last(tape, x.value(), state == null ? null : state.layers().get(end));
      Tensor hidden = norm.forward(tape, Var.constant(last)).value().select(1, 0);
      return scope.keep(accumulated(hidden.matmul(headWeight().value().t())));
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
      return scope.keep(accumulated(asked.matmul(headWeight().value().t())));
    }
  }

  /**
   * One token of each sequence, in constant time and memory. Sequences need not be in step.
   *
   * @param ids (B, 1) int64
   * @return logits of the next token, (B, V)
   */
  public Tensor step(Tensor ids, ModelState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor x = embed(tape, ids).value(); // (B, 1, d)
      for (int i = 0; i < blocks.size(); i++) {
        x = blocks.get(i).step(x, state.layers().get(i));
      }
      Tensor hidden = norm.forward(tape, Var.constant(x)).value().select(1, 0);
      return scope.keep(accumulated(hidden.matmul(headWeight().value().t())));
    }
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
      Var hidden = hidden(tape, batch.ids(), state);
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
      Tensor hidden = hidden(tape, batch.ids(), state).value();
      Tensor rows = hidden.reshape(-1, config.width());
      Tensor losses =
          Kernels.of(rows)
              .linearCrossEntropy()
              .forward(rows, headWeight().value(), there(batch.targets().reshape(-1)), 1, false)
              .losses();
      return scope.keep(losses.reshape(batch.ids().size(0), batch.ids().size(1)));
    }
  }

  Parameter headWeight() {
    return head == null ? embedding : head;
  }

  private Var embed(Tape tape, Tensor ids) {
    refuseForeignIds(ids);
    return Ops.embedding(tape, embedding, there(ids));
  }

  /** Numbers where the weights are; to a GPU by way of pinned memory, so that nobody waits. */
  private Tensor there(Tensor ids) {
    Device device = device();
    if (ids.device().equals(device)) return ids;
    Recording.refuse("a copy of ids from the host");
    Tensor from = ids.device().is_cpu() && device.is_cuda() ? ids.pin_memory() : ids;
    return from.to(device, ScalarType.Long, true, false, new MemoryFormatOptional());
  }

  void refuseForeignIds(Tensor ids) {
    if (ids.numel() == 0) {
      throw new BadInput("no ids", "expected at least one", "pass a sequence");
    }
    if (!ids.device().is_cpu()) return; // A look would wait for the GPU; its kernels check.
    try (Scope scope = new Scope()) {
      long low = ids.min().item_long(), high = ids.max().item_long();
      if (low >= 0 && high < config.vocabulary()) return;
      throw new BadInput(
          "token id " + (low < 0 ? low : high),
          "expected 0 to " + (config.vocabulary() - 1),
          "use the tokenizer that the model was trained with");
    }
  }

  @Override
  public void name(Names names) {
    names.add("embed_tokens.weight", embedding);
    for (int i = 0; i < blocks.size(); i++) names.in("layers." + i, blocks.get(i));
    names.in("norm", norm);
    names.add("lm_head.weight", head);
  }

  /** Frees the weights. */
  @Override
  public void close() {
    parameters().values().forEach(Parameter::close);
  }
}
