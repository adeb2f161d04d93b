package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.List;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.op.TokenStep.Angles;
import org.bmojo.kernels.op.TokenStep.Attention;
import org.bmojo.kernels.op.TokenStep.Convolution;
import org.bmojo.kernels.op.TokenStep.Heads;
import org.bmojo.kernels.op.TokenStep.Kept;
import org.bmojo.kernels.op.TokenStep.Memory;
import org.bmojo.kernels.op.TokenStep.Scan;
import org.bmojo.kernels.op.TokenStep.Workspace;
import org.bmojo.kernels.torch.Lasting;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A layer's {@link BMojo#step} for the GPU: the same function in as few kernels as there are points
 * at which everything must be known, on buffers that are made once. {@link #run} queues always the
 * same work, wherever the sequences stand.
 *
 * <pre>
 * x ─norm─┬─ in-projection ─ conv ─ step sizes ─ scan ─ out-projection ─ y ─┐
 *         └──────────────── conv ─ x̃ ────────────────────────── q, k, v ◂──┘
 *                                              rings, softmax ─ out-projection ─ + y ─ + x
 * </pre>
 */
public final class MixerStep {
  /**
   * What all layers of a model share.
   *
   * @param memory holds what the layers make
   * @param rows the op for linear maps
   * @param ops the op for all else
   * @param positions (B) int64
   * @param cosines (B, D/2) float32 of the places where the sequences stand; null where no layer
   *     rotates
   */
  public record Shared(
      Lasting memory,
      RowLinear rows,
      TokenStep ops,
      Tensor positions,
      @Nullable Tensor cosines,
      @Nullable Tensor sines) {
    int batch() {
      return (int) positions.size(0);
    }

    /** A buffer, of the type and on the device of {@code like}. */
    private Tensor buffer(Tensor like, long... shape) {
      return memory.keep(empty(like, shape));
    }
  }

  /** One kernel takes the rows of x̃ and y together while there are so few of them. */
  private static final int FEW = 8;

  private final Shared shared;
  private final RowLinear.Norm norm;
  private final @Nullable StateSpace space;
  private final @Nullable Reading reading;
  private final Tensor normed; // (B, d)
  private final Tensor both; // (2B, d): x̃, then y
  private final Tensor x, y; // its halves

  /**
   * Makes the buffers, in the current scope.
   *
   * @param norm in front of the layer
   * @param state advanced by {@link #run}; its tensors must stay where they are
   */
  public MixerStep(BMojo layer, MixerState state, Norm norm, Shared shared) {
    this.shared = shared;
    Tensor like = like(layer);
    long batch = shared.batch(), width = norm.weight().value().size(0);
    boolean mixed = layer.ssm != null && layer.projections != null;
    both = shared.buffer(like, 2 * batch, width);
    x = half(both, 0);
    y = half(both, 1);
    Projections p = layer.projections;
    normed = mixed && p != null && p.convolution() != null ? shared.buffer(like, batch, width) : x;
    boolean seen = mixed || layer.eidetic != null; // by convolution and keys, by a score
    this.norm = new RowLinear.Norm(norm.weight().value(), norm.eps(), seen ? normed : null);
    space =
        layer.ssm instanceof Mamba mamba && state.ssm instanceof Mamba.State own
            ? new StateSpace(mamba, own, like, batch)
            : null;
    reading = p == null ? null : new Reading(layer, p, state.attention(), like, batch);
  }

  /** The first or second half of the rows. */
  private Tensor half(Tensor rows, int which) {
    long count = rows.size(0) / 2;
    return shared.memory.keep(rows.narrow(0, which * count, count));
  }

  private static Tensor like(BMojo layer) {
    if (layer.ssm instanceof Mamba mamba) return mamba.inProj.weight().value();
    if (layer.projections == null) throw new IllegalStateException("a layer has one of the two");
    return layer.projections.like();
  }

  /** Why this cannot stand for such a layer; null where it can. */
  public static @Nullable String unsupported(MixerConfig config) {
    if (config.ssm() != null) {
      if (!(config.ssm() instanceof MambaConfig mamba)) return "a state space other than Mamba";
      if (mamba.projectionBias() || mamba.selectionNormEps() > 0) return "a Mamba of another make";
    }
    AttentionConfig a = config.attention();
    if (a == null) return null;
    AttentionDetails d = a.details();
    int dim = a.headDim();
    if (dim > (dim % 8 == 0 ? 128 : 32)) return "heads of " + dim + " that no warp can hold";
    if (a.qkNorm()) return "normalised queries and keys";
    if (d.qkvBias() || d.outputBias() || d.fadingQueries()) return "attention of another make";
    if (a.fading() > 0 && !a.tied()) return "fading memory with matrices of its own";
    if (d.ropeScaling() != null || d.singleAngles()) return "scaled rotary angles";
    if (config.ssm() == null && a.convolution() > 0) return "a convolution without a state space";
    EideticConfig e = a.eidetic();
    if (e == null) return null;
    boolean scored = e.selection() == Selection.INNOVATION || e.selection().joins();
    if (!scored) return "eidetic memory by a score of another make";
    if (e.modulated() || e.threshold() != null || e.storage() != null) {
      return "eidetic memory that is modulated, has a bar or stores";
    }
    return e.positions().turnsKeys() ? "far keys with places of their own" : null;
  }

  /** x (B, d) += the layer's output. */
  public void run(Tensor x) {
    RowLinear rows = shared.rows;
    if (space != null) {
      Convolution near = reading == null ? null : reading.convolution;
      shared.ops.enter(x, norm, space.in, space.convolution, near);
      rows.forward(space.scan.u(), null, List.of(space.select), List.of());
      shared.ops.scan(space.scan);
      Tensor out = space.scan.out();
      if (reading == null) {
        rows.forward(out, null, List.of(new RowLinear.Map(space.outProj, x)), List.of(x));
        return;
      }
      rows.forward(out, null, List.of(new RowLinear.Map(space.outProj, y)), List.of());
    }
    if (reading == null) throw new IllegalStateException("a layer has one of the two");
    reading.project(x);
    shared.ops.attend(reading.attention);
    rows.forward(
        reading.attention.out(),
        null,
        List.of(new RowLinear.Map(reading.output, x)),
        reading.joins ? List.of(y, x) : List.of(x));
  }

  /** Weights, state and buffers of the fading path. */
  private final class StateSpace {
    final RowLinear.Map in, select;
    final Convolution convolution;
    final Scan scan;
    final Tensor outProj;

    StateSpace(Mamba m, Mamba.State state, Tensor like, long batch) {
      long channels = m.channels;
      Tensor wide = shared.buffer(like, batch, 2 * channels); // input, then gate
      Tensor u = shared.buffer(like, batch, channels);
      Tensor maps = shared.buffer(like, batch, m.xProj.weight().value().size(0));
      in = new RowLinear.Map(m.inProj.weight().value(), wide);
      select = new RowLinear.Map(m.xProj.weight().value(), maps);
      convolution =
          convolution(
              m.convolution,
              shared.memory.keep(wide.narrow(1, 0, channels)),
              state.convolution.get(),
              u);
      scan =
          new Scan(
              u,
              maps,
              m.dtProj.weight().value(),
              m.dtBias.value(),
              shared.memory.keep(m.aLog.value().exp().neg()),
              m.skip.value(),
              shared.memory.keep(wide.narrow(1, channels, channels)),
              state.scan.get(),
              shared.buffer(like, batch, channels));
      outProj = m.outProj.weight().value();
    }
  }

  private static Convolution convolution(ShortConvolution c, Tensor x, Tensor state, Tensor out) {
    Tensor bias = c.bias() == null ? null : c.bias().value();
    return new Convolution(x, c.weight().value(), bias, state, out);
  }

  /** Weights, memories and buffers of attention. */
  private final class Reading {
    final @Nullable Convolution convolution;
    final List<RowLinear.Map> queries, keys; // read x̃; read x̃ and y
    final Attention attention;
    final Tensor output;
    final boolean joins, fades;

    Reading(BMojo layer, Projections p, MixerState.Attention past, Tensor like, long batch) {
      AttentionConfig c = p.config();
      joins = layer.config().stateOutput();
      fades = c.fading() > 0;
      ShortConvolution conv = p.convolution();
      convolution =
          conv == null || past.convolution == null
              ? null
              : convolution(conv, normed, past.convolution.get(), x);
      long rows = fades ? 2 * batch : batch;
      boolean together = !fades || rows <= FEW;
      RowLinear.Map q = map(p.q, like, together ? rows : batch);
      RowLinear.Map k = map(p.k, like, rows), v = map(p.v, like, rows);
      queries = together ? List.of() : List.of(q);
      keys = together ? List.of(q, k, v) : List.of(k, v);
      output = p.o.weight().value();
      Heads heads =
          fades
              ? new Heads(
                  together ? half(q.out(), 0) : q.out(),
                  half(k.out(), 0),
                  half(v.out(), 0),
                  half(k.out(), 1),
                  half(v.out(), 1))
              : new Heads(q.out(), k.out(), v.out(), null, null);
      Ring fadedK = past.fadingK, fadedV = past.fadingV;
      Tensor tall = accumulated(zeros(like, 0));
      attention =
          new Attention(
              heads,
              angles(p, like),
              shared.positions,
              new Memory(past.k.rows(), past.v.rows(), p.geometry(0).window()),
              fadedK == null || fadedV == null
                  ? null
                  : new Memory(fadedK.rows(), fadedV.rows(), c.fading()),
              past.eidetic == null
                  ? null
                  : new Kept(past.eidetic.k.get(), past.eidetic.v.get(), past.eidetic.bias.get()),
              c.heads(),
              c.scale(),
              new Workspace(
                  shared.buffer(tall, batch, c.heads(), TokenStep.SPLITS, c.headDim() + 2),
                  shared.memory.keep(zeros(tall, ScalarType.Int, batch, c.heads()))),
              shared.buffer(like, batch, (long) c.heads() * c.headDim()));
    }

    private RowLinear.Map map(Linear linear, Tensor like, long rows) {
      Tensor weight = linear.weight().value();
      return new RowLinear.Map(weight, shared.buffer(like, rows, weight.size(0)));
    }

    private Angles angles(Projections p, Tensor like) {
      RotaryCache rotary = p.rotary();
      if (rotary == null) return new Angles(null, null, null, null);
      EideticConfig e = p.config().eidetic();
      if (e == null || e.positions() == FarPositions.NONE) {
        return new Angles(shared.cosines, shared.sines, null, null);
      }
      var far = rotary.table().at(like, (long) p.config().reach() + p.config().fading(), 1);
      return new Angles(
          shared.cosines,
          shared.sines,
          shared.memory.keep(far.cos()),
          shared.memory.keep(far.sin()));
    }

    /** Heads of x̃ and of y; where there is no state space, of the norm of the residual stream. */
    void project(Tensor residual) {
      if (space == null) {
        if (!queries.isEmpty()) shared.rows.forward(residual, norm, queries, List.of());
        shared.rows.forward(residual, norm, keys, List.of());
        return;
      }
      if (!queries.isEmpty()) shared.rows.forward(x, null, queries, List.of());
      shared.rows.forward(fades ? both : x, null, keys, List.of());
    }
  }

  /** What {@link EideticSteps} needs of a layer with eidetic memory; null of others. */
  public EideticSteps.@Nullable Layer eidetic(BMojo layer, MixerState state) {
    EideticMemory memory = layer.eidetic;
    Projections p = layer.projections;
    if (memory == null || p == null) return null;
    return new EideticSteps.Layer(
        p.config(), EideticSteps.Score.of(memory.scorer), state.attention(), normed, y);
  }
}
