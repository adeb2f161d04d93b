package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.bmojo.kernels.token.Attend;
import org.bmojo.kernels.token.Attend.Far;
import org.bmojo.kernels.token.Attend.HeadNorm;
import org.bmojo.kernels.token.Convolve;
import org.bmojo.kernels.token.Input;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.token.Products;
import org.bmojo.kernels.token.Stage;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bmojo.mixer.Ssm.SsmState;
import org.jspecify.annotations.Nullable;

/**
 * The stages of a layer with attention, in the order of {@link BMojo#step}. What needs the layer's
 * input alone (the state space's first products, the short convolution, a predictor's first half)
 * runs side by side, and so do later the maps to heads, the fading ones, and a predictor's second
 * half; then attention and the score.
 */
final class AttentionPlan {
  private final TokenPlan plan;
  private final Projections p;
  private final @Nullable EideticMemory eidetic;
  private final List<Consumer<MixerState>> binds = new ArrayList<>();

  private AttentionPlan(TokenPlan plan, Projections p, @Nullable EideticMemory eidetic) {
    this.plan = plan;
    this.p = p;
    this.eidetic = eidetic;
  }

  /** Adds the layer that {@link BMojo#plan} describes. */
  static void add(
      TokenPlan plan,
      Norm norm,
      float[] x,
      @Nullable Ssm ssm,
      Projections p,
      @Nullable EideticMemory eidetic,
      MixerConfig config) {
    new AttentionPlan(plan, p, eidetic).add(norm, x, ssm, config.stateOutput());
  }

  private void add(Norm norm, float[] x, @Nullable Ssm ssm, boolean stateOutput) {
    boolean whole = ssm != null || p.convolution() != null || eidetic != null;
    float[] in = whole ? plan.normalised(norm, x) : x;
    float[] y = ssm == null ? null : plan.vector(plan.width());
    List<Stage> first = new ArrayList<>();
    float[] mixed = shortConvolution(in, first);
    Scorer.Stages score = score(in, y);
    if (score != null) first.addAll(score.first());
    if (ssm != null && y != null) {
      Consumer<SsmState> bind =
          ssm.plan(plan, in, map -> plan.set(map, y), first.toArray(Stage[]::new));
      binds.add(state -> bind.accept(Objects.requireNonNull(state.ssm)));
    } else {
      first.forEach(plan::add);
    }
    Input read = whole ? new Input.Plain(mixed, plan.width()) : plan.normed(norm, x);
    heads(read, y, score, x, stateOutput);
    plan.layer(state -> binds.forEach(bind -> bind.accept(state)));
  }

  private float[] shortConvolution(float[] in, List<Stage> stages) {
    ShortConvolution convolution = p.convolution();
    if (convolution == null) return in;
    float[] mixed = plan.vector(plan.width());
    Place past = new Place();
    int taps = (int) convolution.weight().value().size(1);
    float[] bias = plan.numbers(convolution.bias(), plan.width());
    stages.add(
        new Convolve(in, plan.width(), taps, plan.taps(convolution), bias, past, true, mixed));
    binds.add(state ->
        past.set(TokenPlan.inPlace(Objects.requireNonNull(state.attention().convolution))));
    return mixed;
  }

  private Scorer.@Nullable Stages score(float[] in, float @Nullable [] y) {
    if (eidetic == null) return null;
    Place scores = new Place(), history = new Place();
    binds.add(state -> {
      EideticMemory.State memory = Objects.requireNonNull(state.attention().eidetic);
      scores.set(TokenPlan.inPlace(memory.recent.owned()));
      if (memory.history != null) history.set(TokenPlan.inPlace(memory.history));
    });
    return eidetic.scorer.plan(plan, in, y, scores, history);
  }

  private void heads(
      Input read,
      float @Nullable [] y,
      Scorer.@Nullable Stages score,
      float[] x,
      boolean stateOutput) {
    AttentionConfig c = p.config();
    int dim = c.headDim(), groups = c.kvHeads(), all = c.heads() * dim;
    float[] q = plan.vector(all), heads = plan.vector(all);
    Attend.Stream window = stream(groups * dim), fading = null;
    List<Stage> maps = new ArrayList<>();
    maps.add(
        new Products(
            read,
            plan.set(p.queryMap(), q),
            plan.set(p.keyMap(), window.newK()),
            plan.set(p.valueMap(), window.newV())));
    if (y != null && c.fading() > 0) {
      fading = stream(groups * dim);
      maps.add(
          new Products(
              new Input.Plain(y, plan.width()),
              plan.set(p.fadingKeyMap(), fading.newK()),
              plan.set(p.fadingValueMap(), fading.newV())));
    }
    if (score != null) maps.addAll(score.second());
    plan.add(Stage.together(maps.toArray(Stage[]::new)));
    Attend attend =
        new Attend(
            p.geometry(0),
            c.heads(),
            groups,
            dim,
            plan.moment(),
            q,
            window,
            fading,
            far(),
            plan.turn(p.rotary()),
            norm(p.queryNorm(), dim),
            norm(p.keyNorm(), dim),
            heads);
    plan.add(score == null ? attend : Stage.together(attend, score.last()));
    plan.add(
        new Products(
            new Input.Plain(heads, all), plan.add(p.outputMap(), x, stateOutput ? y : null)));
    Attend.Stream faded = fading;
    binds.add(state -> state.attention().show(window, faded, state.position()));
  }

  private Attend.Stream stream(int width) {
    return new Attend.Stream(plan.vector(width), plan.vector(width), new Place(), new Place());
  }

  private @Nullable HeadNorm norm(@Nullable Norm norm, int dim) {
    return norm == null ? null : new HeadNorm(plan.numbers(norm.weight(), dim), norm.eps());
  }

  private @Nullable Far far() {
    AttentionConfig c = p.config();
    EideticConfig memory = c.eidetic();
    if (eidetic == null || memory == null) return null;
    Place k = new Place(), v = new Place(), bias = new Place();
    binds.add(state -> {
      EideticMemory.State held = Objects.requireNonNull(state.attention().eidetic);
      k.set(TokenPlan.inPlace(held.k));
      v.set(TokenPlan.inPlace(held.v));
      bias.set(TokenPlan.inPlace(held.bias));
    });
    RotaryCache rotary = p.rotary();
    boolean turned = rotary != null && memory.positions() == FarPositions.FIXED;
    if (rotary == null || !turned) return new Far(k, v, bias, null, 1);
    long distance = (long) c.reach() + c.fading();
    return new Far(
        k, v, bias, TokenPlan.turn(rotary, p.like(), distance), (float) rotary.table().magnitude());
  }
}
