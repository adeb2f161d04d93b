package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.op.TokenStep.Eidetic;
import org.bmojo.kernels.torch.Lasting;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The eidetic memories of a model's layers in step with single tokens. None of this is on a token's
 * way to its output: scores are noted for later, and sets change between tokens. So layers that are
 * alike do it together.
 */
public final class EideticSteps {
  /**
   * A layer with eidetic memory.
   *
   * @param score how tokens are scored
   * @param x (B, d) its normalised input, as the step leaves it
   * @param y (B, d) its state's output; unread where there is no state
   */
  public record Layer(
      AttentionConfig config, Score score, MixerState.Attention state, Tensor x, Tensor y) {
    boolean isLike(Layer other) {
      return config.equals(other.config) && score.isLike(other.score);
    }

    /** In the order of {@link Eidetic#layers}. */
    long[] addresses() {
      EideticMemory.State kept = state.eidetic;
      if (kept == null) throw new IllegalStateException("no such memory");
      @Nullable Tensor[] tensors = {
        x,
        y,
        kept.history == null ? null : kept.history.get(),
        score.down,
        score.up,
        score.weight,
        score.stateWeight,
        score.bias,
        kept.recent.rows(),
        state.k.rows(),
        state.v.rows(),
        kept.k.get(),
        kept.v.get(),
        kept.positions.get(),
        kept.scores.get(),
        kept.bias.get()
      };
      long[] addresses = new long[tensors.length];
      for (int i = 0; i < tensors.length; i++) {
        Tensor t = tensors[i];
        addresses[i] = t == null ? 0 : t.data_ptr().address();
      }
      return addresses;
    }
  }

  /**
   * The weights of a score: of innovation, of importance, or of both where it is their product.
   *
   * @param down (r, d)
   * @param up (d, r)
   * @param weight (d)
   * @param stateWeight (d)
   * @param bias (1)
   */
  record Score(
      @Nullable Tensor down,
      @Nullable Tensor up,
      @Nullable Tensor weight,
      @Nullable Tensor stateWeight,
      @Nullable Tensor bias) {
    static Score of(Scorer scorer) {
      return switch (scorer) {
        case InnovationScorer innovation -> of(innovation, null);
        case ImportanceScorer importance -> of(null, importance);
        case CombinedScorer both -> of(both.innovation, both.importance);
        default -> throw new IllegalStateException("no kernel for this score");
      };
    }

    private static Score of(@Nullable InnovationScorer a, @Nullable ImportanceScorer b) {
      return new Score(
          a == null ? null : a.down.weight().value(),
          a == null ? null : a.up.weight().value(),
          b == null ? null : b.weight.value(),
          b == null || b.stateWeight == null ? null : b.stateWeight.value(),
          b == null ? null : b.bias.value());
    }

    int rank() {
      return down == null ? 0 : (int) down.size(0);
    }

    boolean isLike(Score other) {
      return rank() == other.rank()
          && type(down) == type(other.down)
          && type(weight) == type(other.weight);
    }

    private static @Nullable ScalarType type(@Nullable Tensor t) {
      return t == null ? null : t.scalar_type().intern();
    }
  }

  /** Layers that are alike. */
  private record Group(Eidetic memories, Tensor chosen) {}

  private final Lasting memory;
  private final TokenStep ops;
  private final Tensor positions;
  private final @Nullable Tensor frequencies;
  private final List<Group> groups = new ArrayList<>();

  /**
   * Makes tables and buffers.
   *
   * @param memory holds them
   * @param layers those with eidetic memory
   * @param positions (B) int64, of the next token
   * @param frequencies of the rotary embedding, float64; null where there is none
   */
  public EideticSteps(
      Lasting memory,
      TokenStep ops,
      List<Layer> layers,
      Tensor positions,
      @Nullable Tensor frequencies) {
    this.memory = memory;
    this.ops = ops;
    this.positions = positions;
    this.frequencies = frequencies;
    List<Layer> left = new ArrayList<>(layers);
    while (!left.isEmpty()) {
      Layer first = left.getFirst();
      List<Layer> alike = left.stream().filter(first::isLike).toList();
      left.removeAll(alike);
      groups.add(group(alike));
    }
  }

  private Group group(List<Layer> alike) {
    long[] table = alike.stream().flatMapToLong(l -> Arrays.stream(l.addresses())).toArray();
    Layer one = alike.getFirst();
    AttentionConfig config = one.config;
    EideticConfig e = config.eidetic();
    if (e == null) throw new IllegalStateException("a layer without eidetic memory");
    int batch = (int) positions.size(0);
    Tensor addresses =
        memory.keep(
            Tensor.create(table, alike.size(), Eidetic.ADDRESSES)
                .to(positions.device(), ScalarType.Long));
    Eidetic memories =
        new Eidetic(
            addresses,
            one.x,
            one.score.down,
            one.score.weight,
            batch,
            (int) one.x.size(1),
            one.score.rank(),
            e.scaleFree(),
            e.behind(config.reach()) + e.chunk(),
            e.capacity(),
            e.behind(config.reach()),
            e.chunk(),
            config.heads(),
            config.kvHeads(),
            config.headDim());
    return new Group(memories, memory.keep(zeros(positions, alike.size(), batch, e.capacity())));
  }

  /** Scores the tokens that all layers have just read. */
  public void score() {
    for (Group g : groups) ops.score(g.memories, positions, InnovationScore.EPS);
  }

  /**
   * Gives new sets to those sequences that begin a chunk with their next token.
   *
   * @param next where sequences stand, as the host knows it: nothing is queued where no chunk
   *     begins
   */
  public void refresh(long[] next) {
    for (Group g : groups) {
      boolean due = false;
      for (long p : next) due |= p > 0 && p % g.memories.chunk() == 0;
      if (due) ops.refresh(g.memories, positions, frequencies, g.chosen);
    }
  }
}
