package org.bmojo.model;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.of;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.cuda.Graph;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.torch.Lasting;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryTable;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticSteps;
import org.bmojo.mixer.MixerState;
import org.bmojo.mixer.MixerStep;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * One token of each sequence of a batch, from ids to ids, as work that is always the same: queued
 * once, then recorded, then launched as a whole ({@link Graph}). What changes from token to token
 * lies in tensors: ids, positions, the state.
 */
final class StepPlan implements AutoCloseable {
  private final TokenStep ops;
  private final RowLinear rows;
  private final LanguageModel model;
  private final ModelState own;
  private final long room;
  private final Lasting memory = new Lasting();
  private final List<MixerStep> mixers = new ArrayList<>();
  private final List<@Nullable Tensor> inner = new ArrayList<>(); // (B, m) of each perceptron
  private final MixerStep.Shared shared;
  private final EideticSteps eidetic;
  private final @Nullable Tensor frequencies;
  private final Tensor x; // (B, d), the residual stream
  private final int device;
  private @Nullable Graph graph;
  private boolean warm;

  /** (B) int64: read by the next step, and then what it found likeliest. */
  final Tensor ids;

  /** (B) int64: where the sequences stand, and which of them move on. */
  final Tensor positions, active;

  /** (B, V) of the last step. */
  final Tensor logits;

  /**
   * Makes the buffers.
   *
   * @param state advanced by the steps; its tensors must not be replaced while this lives
   */
  StepPlan(LanguageModel model, ModelState state) {
    this.model = model;
    own = state;
    room = state.room();
    Tensor like = model.headWeight().value();
    try (Scope _ = new Scope()) {
      Kernels room = Kernels.of(like);
      ops = Objects.requireNonNull(room.tokenStep());
      rows = room.rowLinear();
      device = like.device().index();
      int batch = state.batch();
      ids = memory.keep(zeros(like, ScalarType.Long, batch));
      positions = memory.keep(zeros(like, ScalarType.Long, batch));
      active = memory.keep(zeros(like, ScalarType.Long, batch));
      logits = memory.keep(empty(like, batch, like.size(0)));
      x = memory.keep(empty(like, batch, model.config().width()));
      RotaryTable rotary = rotary(model.config());
      double[] turns = rotary == null ? null : rotary.frequencies();
      frequencies =
          turns == null ? null : memory.keep(of(turns).to(like.device(), ScalarType.Double));
      Tensor tall = accumulated(zeros(like, 0));
      Tensor cosines = turns == null ? null : memory.keep(empty(tall, batch, turns.length));
      Tensor sines = turns == null ? null : memory.keep(empty(tall, batch, turns.length));
      shared = new MixerStep.Shared(memory, rows, ops, positions, cosines, sines);
      List<EideticSteps.Layer> remembering = new ArrayList<>();
      for (int i = 0; i < model.blocks.size(); i++) {
        Block block = model.blocks.get(i);
        MixerState own = state.layers().get(i);
        MixerStep mixer = new MixerStep(block.mixer, own, block.mixerNorm, shared);
        mixers.add(mixer);
        EideticSteps.Layer layer = mixer.eidetic(block.mixer, own);
        if (layer != null) remembering.add(layer);
        inner.add(
            block.mlp == null
                ? null
                : memory.keep(empty(like, batch, block.mlp.gate().weight().value().size(0))));
      }
      eidetic = new EideticSteps(memory, ops, remembering, positions, frequencies);
    }
  }

  /** Whether this advances {@code state}, and its tensors are those that it had. */
  boolean reads(ModelState state) {
    return own == state && room == state.room();
  }

  /** Says where sequences stand, and which move on. */
  void place(long[] at, long[] moving) {
    try (Scope _ = new Scope()) {
      positions.copy_(Tensor.create(at, at.length));
      active.copy_(Tensor.create(moving, moving.length));
    }
  }

  /** Gives the next step its ids (n, 1), those of some slots. */
  void give(Tensor given, int... slots) {
    try (Scope _ = new Scope()) {
      long[] all = new long[(int) ids.size(0)];
      LongPointer values = new LongPointer(given.contiguous().data_ptr());
      for (int i = 0; i < slots.length; i++) all[slots[i]] = values.get(i);
      ids.copy_(Tensor.create(all, all.length));
    }
  }

  /** Why a model's steps cannot be planned; null where they can. */
  static @Nullable String unsupported(LanguageModel model) {
    Tensor like = model.headWeight().value();
    boolean small = like.scalar_type().intern() == ScalarType.Double;
    if (small || Kernels.of(like).tokenStep() == null) return "no kernels for it here";
    for (BlockConfig layer : model.config().layers()) {
      if (layer.experts() != null || layer.mlpBias()) return "a perceptron of another make";
      String reason = MixerStep.unsupported(layer.mixer());
      if (reason != null) return reason;
    }
    List<AttentionConfig> rotating = rotating(model.config());
    for (AttentionConfig a : rotating) {
      AttentionConfig first = rotating.getFirst();
      if (a.headDim() != first.headDim() || a.ropeBase() != first.ropeBase()) {
        return "layers with different rotary angles";
      }
    }
    return null;
  }

  private static List<AttentionConfig> rotating(ModelConfig config) {
    List<AttentionConfig> all = new ArrayList<>();
    for (BlockConfig layer : config.layers()) {
      AttentionConfig a = layer.mixer().attention();
      if (a != null && a.ropeBase() > 0) all.add(a);
    }
    return all;
  }

  private static @Nullable RotaryTable rotary(ModelConfig config) {
    List<AttentionConfig> all = rotating(config);
    if (all.isEmpty()) return null;
    return new RotaryTable(all.getFirst().headDim(), all.getFirst().ropeBase());
  }

  /**
   * Reads {@link #ids}, and leaves {@link #logits} and the likeliest ids.
   *
   * @param next where the sequences stand, as the host knows it
   */
  void step(long[] next) {
    eidetic.refresh(next);
    if (!warm) {
      queue();
      warm = true;
      return;
    }
    if (graph == null) graph = Graph.of(device, 0, this::queue);
    graph.replay();
  }

  private void queue() {
    ops.queue(this::token);
  }

  private void token() {
    try (Scope _ = new Scope()) {
      ops.begin(
          model.embedding.value(),
          ids,
          positions,
          frequencies,
          x,
          shared.cosines(),
          shared.sines());
      for (int i = 0; i < mixers.size(); i++) {
        mixers.get(i).run(x);
        perceive(model.blocks.get(i), inner.get(i));
      }
      eidetic.score();
      RowLinear.Norm last = norm(model.norm);
      rows.forward(
          x, last, List.of(new RowLinear.Map(model.headWeight().value(), logits)), List.of());
      ops.end(logits, ids, positions, active);
    }
  }

  private void perceive(Block block, @Nullable Tensor between) {
    if (block.mlp == null || block.mlpNorm == null || between == null) return;
    Tensor gate = block.mlp.gate().weight().value(), up = block.mlp.up().weight().value();
    Tensor down = block.mlp.down().weight().value();
    rows.gated(x, norm(block.mlpNorm), gate, up, between);
    rows.forward(between, null, List.of(new RowLinear.Map(down, x)), List.of(x));
  }

  private static RowLinear.Norm norm(Norm norm) {
    return new RowLinear.Norm(norm.weight().value(), norm.eps(), null);
  }

  @Override
  public void close() {
    if (graph != null) graph.close();
    memory.close();
  }
}
