package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The layer again, independently and in float64, from libtorch's own operations alone, so that its
 * autograd gives the gradients. One sequence at a time; every token stands there four times (as
 * window, fading, eidetic and stored key), masks hide what a query does not see, and one softmax
 * goes over all 4T keys.
 *
 * @param output (B, T, d)
 * @param ownLoss mean of the scores with the scorer's inputs held constant, a scalar; null where
 *     the scorer does not predict
 * @param sets positions by sequence and chunk
 */
public record Dense(Tensor output, @Nullable Tensor ownLoss, List<List<long[]>> sets) {
  private static final double HIDDEN = Double.NEGATIVE_INFINITY;

  /**
   * The layer's function.
   *
   * @param weights by the names that the layer gives them
   * @param x (B, T, d)
   */
  public static Dense of(MixerConfig config, Map<String, Tensor> weights, Tensor x) {
    Sequence sequence = new Sequence(config, weights);
    int batch = (int) x.size(0);
    Tensor[] outputs = new Tensor[batch], losses = new Tensor[batch];
    List<List<long[]>> sets = new ArrayList<>();
    boolean predicts = false;
    for (int b = 0; b < batch; b++) {
      Dense one = sequence.run(x.select(0, b));
      outputs[b] = one.output;
      sets.addAll(one.sets);
      predicts = one.ownLoss != null;
      if (one.ownLoss != null) losses[b] = one.ownLoss;
    }
    return new Dense(stack(0, outputs), predicts ? stack(0, losses).mean() : null, sets);
  }

  private record Sequence(MixerConfig config, Map<String, Tensor> weights) {
    Tensor w(String name) {
      return Objects.requireNonNull(weights.get(name), name);
    }

    Dense run(Tensor x) {
      Tensor y = config.ssm() == null ? null : mamba(x);
      AttentionConfig a = config.attention();
      if (a == null) return new Dense(Objects.requireNonNull(y), null, List.of(List.of()));
      int tokens = (int) x.size(0);
      Tensor mixed = x;
      if (a.convolution() > 0) {
        mixed = x.add(torch.silu(convolved(x, w("conv.weight"), w("conv.bias"))));
      }
      Tensor q = heads(mixed, "q_proj.weight", a.heads(), a.qkNorm() ? "q_norm.weight" : null);
      String kGain = a.qkNorm() ? "k_norm.weight" : null;
      Tensor k = spread(heads(mixed, "k_proj.weight", a.kvHeads(), kGain), a.heads());
      Tensor v = spread(heads(mixed, "v_proj.weight", a.kvHeads(), null), a.heads());
      double[] own = new double[tokens], far = new double[tokens];
      for (int t = 0; t < tokens; t++) {
        own[t] = t;
        far[t] = a.window() == null ? 0 : (double) a.window() + a.fading();
      }
      Tensor nearQ = turned(q, own, a.ropeBase()), nearK = turned(k, own, a.ropeBase());
      double scale = Math.pow(a.headDim(), -0.5);
      long reach = a.window() == null ? tokens : a.window();

      List<Tensor> logits = new ArrayList<>(), values = new ArrayList<>();
      logits.add(
          products(nearQ, nearK, scale).add(mask(tokens, (i, j) -> j <= i && i - j < reach)));
      values.add(v);
      if (a.fading() > 0) {
        String prefix = a.tied() ? "" : "fading_";
        Tensor state = Objects.requireNonNull(y);
        Tensor fadingK =
            spread(heads(state, prefix + "k_proj.weight", a.kvHeads(), kGain), a.heads());
        Tensor fadingV =
            spread(heads(state, prefix + "v_proj.weight", a.kvHeads(), null), a.heads());
        logits.add(
            products(nearQ, turned(fadingK, own, a.ropeBase()), scale)
                .add(mask(tokens, (i, j) -> i - j >= reach && i - j < reach + a.fading())));
        values.add(fadingV);
      }
      List<long[]> sets = new ArrayList<>();
      Tensor ownLoss = null;
      EideticConfig memory = a.eidetic();
      if (memory != null) {
        Scores scores = scores(memory, x, y, tokens);
        ownLoss = scores.ownLoss;
        double[] e = numbers(scores.e);
        sets = NaiveSets.of(e, memory, (int) reach);
        List<long[]> chosen = sets;
        Tensor farQ =
            switch (memory.positions()) {
              case FIXED, ORDER -> turned(q, far, a.ropeBase());
              case NONE -> q;
              case ABSOLUTE -> nearQ;
            };
        Tensor farK = memory.positions() == FarPositions.ABSOLUTE ? nearK : k;
        Tensor seen = mask(tokens, (i, j) -> contains(chosen.get(i / memory.chunk()), j));
        Tensor match =
            memory.positions() == FarPositions.ORDER
                ? ordered(farQ, k, scale, chosen, a, memory.chunk())
                : products(farQ, farK, scale);
        Tensor longTerm = match.add(bias(memory, scores.e, a.heads()));
        logits.add(longTerm.add(seen));
        values.add(v);
        if (memory.storage() != null) {
          logits.add(
              longTerm.add(NaiveStorage.seen(a, memory, e, sets, farQ.detach(), k.detach())));
          values.add(v);
        }
      }
      Tensor weights = torch.softmax(cat(-1, logits.toArray(Tensor[]::new)), -1); // (H, T, 3T)
      Tensor read = einsum("hts,shd->thd", weights, cat(0, values.toArray(Tensor[]::new)));
      Tensor output = read.reshape(tokens, -1).matmul(w("o_proj.weight").t());
      if (config.stateOutput()) output = output.add(Objects.requireNonNull(y));
      return new Dense(output, ownLoss, List.of(sets));
    }

    /** Products (H, T, T) where each chunk's set stands in a row, the newest of it at 0. */
    private static Tensor ordered(
        Tensor q, Tensor k, double scale, List<long[]> sets, AttentionConfig a, int chunk) {
      int tokens = (int) q.size(0);
      Tensor[] rows = new Tensor[sets.size()];
      for (int c = 0; c < rows.length; c++) {
        long[] set = sets.get(c);
        double[] places = new double[tokens];
        for (int i = 0; i < set.length; i++) places[(int) set[i]] = i - (set.length - 1);
        int start = c * chunk;
        Tensor own = q.narrow(0, start, Math.min(chunk, tokens - start));
        rows[c] = products(own, turned(k, places, a.ropeBase()), scale);
      }
      return cat(1, rows);
    }

    /** Scores (T) as eidetic memory's logits see them, and the mean they are trained by. */
    private record Scores(Tensor e, @Nullable Tensor ownLoss) {}

    private Scores scores(EideticConfig memory, Tensor x, @Nullable Tensor y, int tokens) {
      return switch (memory.selection()) {
        case INNOVATION -> {
          Tensor state = read(memory, y);
          Tensor free = innovation("innovation", x, state);
          Tensor held = innovation("innovation", x.detach(), state.detach());
          yield new Scores(memory.modulated() ? free : free.detach(), held.mean());
        }
        case FILTER -> {
          Tensor free = filtered(x), held = filtered(x.detach());
          yield new Scores(memory.modulated() ? free : free.detach(), held.mean());
        }
        case IMPORTANCE -> new Scores(importance(x), null);
        case CONTEXTUAL -> {
          Tensor logit = x.mv(w("importance.weight")).add(w("importance.bias"));
          logit = logit.add(rms(Objects.requireNonNull(y), 1e-6).mv(w("importance.state_weight")));
          yield new Scores(logit.exp().log1p(), null);
        }
        case COMBINED -> {
          Tensor state = read(memory, y);
          Tensor held = innovation("importance.innovation", x.detach(), state.detach());
          Tensor free = innovation("importance.innovation", x, state);
          yield new Scores(importance(x).mul(free), held.mean());
        }
        case RANDOM, RECENT, STRIDE, NONE -> {
          double[] e = new double[tokens];
          for (int j = 0; j < tokens; j++) e[j] = control(memory.selection(), j);
          yield new Scores(Tensor.create(e, tokens), null);
        }
      };
    }

    private static double control(Selection selection, int position) {
      return switch (selection) {
        case RECENT -> position;
        case STRIDE -> position == 0 ? 64 : Integer.numberOfTrailingZeros(position);
        case NONE -> HIDDEN;
        default -> PositionScorer.random(1).at(position);
      };
    }

    private Tensor importance(Tensor x) {
      return x.mv(w("importance.weight")).add(w("importance.bias")).exp().log1p();
    }

    /** What the predictor reads. */
    private static Tensor read(EideticConfig memory, @Nullable Tensor y) {
      Tensor state = Objects.requireNonNull(y);
      return memory.scaleFree() ? rms(state, 1e-6) : state;
    }

    private Tensor innovation(String predictor, Tensor x, Tensor y) {
      Tensor before = cat(0, zeros(y, 1, y.size(1)), y.narrow(0, 0, y.size(0) - 1));
      Tensor guess = before.matmul(w(predictor + ".down.weight").t());
      guess = guess.matmul(w(predictor + ".up.weight").t());
      return rms(x, 1e-6).sub(guess).square().mean(-1);
    }

    private Tensor filtered(Tensor x) {
      Tensor normal = rms(x, 1e-6);
      Tensor before = cat(0, zeros(normal, 1, x.size(1)), normal.narrow(0, 0, x.size(0) - 1));
      Tensor guess = convolved(before, w("innovation.weight"), null);
      return normal.sub(guess).square().mean(-1);
    }

    /** (H, 1, T). */
    private Tensor bias(EideticConfig memory, Tensor e, int heads) {
      Tensor row = e.unsqueeze(0); // (1, T)
      if (memory.selection().joins()) {
        row = row.log();
      } else if (memory.modulated()) {
        // A score that hides its token anyway must not make a NaN here.
        Tensor finite = row.masked_fill(row.isinf(), scalar(0));
        row = finite.log1p().mul(w("innovation.gamma").unsqueeze(1));
      } else {
        row = torch.zeros_like(row);
      }
      return row.expand(heads, e.size(0)).unsqueeze(1);
    }

    private Tensor mamba(Tensor x) {
      Tensor[] inputAndGate = halves(x.matmul(w("ssm.in_proj.weight").t()));
      Tensor u =
          torch.silu(convolved(inputAndGate[0], w("ssm.conv1d.weight"), w("ssm.conv1d.bias")));
      Tensor dtBC = u.matmul(w("ssm.x_proj.weight").t());
      long states = w("ssm.A_log").size(1), rank = dtBC.size(1) - 2 * states;
      Tensor delta =
          dtBC.narrow(1, 0, rank).matmul(w("ssm.dt_proj.weight").t()).add(w("ssm.dt_proj.bias"));
      delta = delta.exp().log1p(); // (T, I)
      Tensor a = w("ssm.A_log").exp().neg();
      Tensor h = torch.zeros_like(a); // (I, N)
      Tensor[] y = new Tensor[(int) x.size(0)];
      for (int t = 0; t < y.length; t++) {
        Tensor dt = delta.select(0, t).unsqueeze(1);
        Tensor ut = u.select(0, t), b = dtBC.narrow(1, rank, states).select(0, t);
        h = dt.mul(a).exp().mul(h).add(dt.mul(ut.unsqueeze(1)).mul(b.unsqueeze(0)));
        Tensor c = dtBC.narrow(1, rank + states, states).select(0, t);
        y[t] = h.mv(c).add(w("ssm.D").mul(ut));
      }
      return stack(0, y).mul(torch.silu(inputAndGate[1])).matmul(w("ssm.out_proj.weight").t());
    }

    /** (T, d) → (T, heads, D), normalised by a gain of that name unless it is null. */
    private Tensor heads(Tensor x, String map, int heads, @Nullable String gain) {
      Tensor split = x.matmul(w(map).t()).reshape(x.size(0), heads, -1);
      return gain == null ? split : rms(split, 1e-6).mul(w(gain));
    }
  }

  private interface Sees {
    boolean test(int query, int key);
  }

  private static Tensor mask(int tokens, Sees sees) {
    double[] values = new double[tokens * tokens];
    for (int i = 0; i < tokens; i++) {
      for (int j = 0; j < tokens; j++) values[i * tokens + j] = sees.test(i, j) ? 0 : HIDDEN;
    }
    return Tensor.create(values, tokens, tokens);
  }

  private static boolean contains(long[] set, long position) {
    return Arrays.stream(set).anyMatch(p -> p == position);
  }

  private static Tensor products(Tensor q, Tensor k, double scale) {
    return einsum("thd,shd->hts", q, k).mul(scalar(scale));
  }

  /** Every key/value head once for each query head that reads it. */
  private static Tensor spread(Tensor t, long heads) {
    return t.repeat_interleave(heads / t.size(1), new LongOptional(1), new LongOptional());
  }

  private static Tensor rms(Tensor x, double eps) {
    return x.div(x.square().mean(-1).add(scalar(eps)).sqrt().unsqueeze(-1));
  }

  private static Tensor[] halves(Tensor t) {
    long half = t.size(-1) / 2;
    return new Tensor[] {t.narrow(-1, 0, half), t.narrow(-1, half, half)};
  }

  /** Channel by channel, (T, C) with (C, K) → (T, C). */
  private static Tensor convolved(Tensor x, Tensor weight, @Nullable Tensor bias) {
    long width = weight.size(1);
    Tensor padded = cat(0, zeros(x, width - 1, x.size(1)), x);
    Tensor sum = zeros(x, x.size(0), x.size(1));
    for (long m = 0; m < width; m++) {
      sum = sum.add(padded.narrow(0, m, x.size(0)).mul(weight.select(1, m)));
    }
    return bias == null ? sum : sum.add(bias);
  }

  /** Heads (T, H, D) turned to these positions; as they are for base 0. */
  private static Tensor turned(Tensor heads, double[] positions, double base) {
    if (base == 0) return heads;
    int half = (int) heads.size(-1) / 2;
    double[] cos = new double[positions.length * half], sin = cos.clone();
    for (int t = 0; t < positions.length; t++) {
      for (int m = 0; m < half; m++) {
        double angle = positions[t] * Math.pow(base, -(double) m / half);
        cos[t * half + m] = Math.cos(angle);
        sin[t * half + m] = Math.sin(angle);
      }
    }
    Tensor c = Tensor.create(cos, positions.length, 1, half);
    Tensor s = Tensor.create(sin, positions.length, 1, half);
    Tensor[] ab = halves(heads);
    return cat(-1, ab[0].mul(c).sub(ab[1].mul(s)), ab[1].mul(c).add(ab[0].mul(s)));
  }

  private static double[] numbers(Tensor t) {
    double[] numbers = new double[(int) t.numel()];
    for (int i = 0; i < numbers.length; i++) numbers[i] = t.select(0, i).item_double();
    return numbers;
  }
}
