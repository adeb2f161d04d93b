package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.op.SetGather;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The kernels as operations of the tape: which tensors each keeps, and where its gradients go. */
public final class KernelOps {
  private KernelOps() {}

  /** {@link RmsNorm}; {@code weight} may be null. */
  public static Var rmsNorm(Tape tape, Var x, @Nullable Var weight, double eps) {
    RmsNorm op = Kernels.of(x.value()).rmsNorm();
    Tensor input = x.value(), gain = weight == null ? null : weight.value();
    RmsNorm.Output out = op.forward(input, gain, eps);
    return tape.record(
        out.y(),
        inputs(x, weight),
        keeping(input, gain, out.scale()),
        dy -> {
          Tensor before = x.before(input);
          RmsNorm.Gradients g =
              before == null
                  ? op.backward(input, gain, out.scale(), dy)
                  : op.backwardOnto(before, input, gain, out.scale(), dy);
          x.giveGradient(g.x(), before);
          if (weight != null && g.weight() != null) weight.giveGradient(g.weight());
        });
  }

  /** {@link org.bmojo.kernels.op.SwiGlu}. */
  public static Var swiGlu(Tape tape, Var gate, Var up) {
    var op = Kernels.of(gate.value()).swiGlu();
    Tensor g = gate.value(), u = up.value();
    return tape.record(
        op.forward(g, u),
        inputs(gate, up),
        keeping(g, u),
        dy -> {
          var gradients = op.backward(g, u, dy);
          gate.giveGradient(gradients.gate());
          up.giveGradient(gradients.up());
        });
  }

  /** {@link org.bmojo.kernels.op.Rotary}; the tables outlive the tape. */
  public static Var rotary(Tape tape, Var x, Tensor cos, Tensor sin) {
    var op = Kernels.of(x.value()).rotary();
    return tape.record(
        op.forward(x.value(), cos, sin),
        inputs(x),
        keeping(cos, sin),
        dy -> {
          Tensor before = x.before(dy);
          Tensor dx =
              before == null ? op.backward(dy, cos, sin) : op.backwardOnto(before, dy, cos, sin);
          x.giveGradient(dx, before);
        });
  }

  /** {@link org.bmojo.kernels.op.InnovationScore}. */
  public static Var innovationScore(Tape tape, Var x, Var predicted) {
    var op = Kernels.of(x.value()).innovationScore();
    Tensor input = x.value(), guess = predicted.value();
    return tape.record(
        op.forward(input, guess),
        inputs(x, predicted),
        keeping(input, guess),
        de -> {
          var g = op.backward(input, guess, de);
          x.giveGradient(g.x());
          predicted.giveGradient(g.predicted());
        });
  }

  /** {@link SetGather}; {@code past} is constant and may be null. */
  public static Var gatherSets(Tape tape, @Nullable Tensor past, Var fresh, SetGather.Sets sets) {
    SetGather op = Kernels.of(fresh.value()).setGather();
    long before = past == null ? 0 : past.size(1), tokens = fresh.value().size(1);
    return tape.record(
        op.forward(past, fresh.value(), sets),
        inputs(fresh),
        keeping(sets.rows(), sets.positions()),
        dy -> {
          Tensor sum = fresh.before(dy);
          Tensor dx =
              sum == null
                  ? op.backward(sets, before, tokens, dy)
                  : op.backwardOnto(sum, sets, before, tokens, dy);
          fresh.giveGradient(dx, sum);
        });
  }

  /** A recurrent operation's output and the state it leaves, which carries no gradient. */
  public record WithState(Var y, Tensor last) {}

  /** {@link CausalConv}; {@code bias}, {@code initial} and {@code begin} may be null. */
  public static WithState causalConv(
      Tape tape,
      Var x,
      Var weight,
      @Nullable Var bias,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    CausalConv op = Kernels.of(x.value()).causalConv();
    var in =
        new CausalConv.Inputs(
            x.value(), weight.value(), bias == null ? null : bias.value(), initial, begin);
    CausalConv.Output out = op.forward(in);
    Var y =
        tape.record(
            out.y(),
            inputs(x, weight, bias),
            keeping(in.x(), in.weight(), in.bias(), initial, begin),
            dy -> {
              Tensor before = x.before(in.x());
              CausalConv.Gradients g =
                  before == null ? op.backward(in, dy) : op.backwardOnto(before, in, dy);
              x.giveGradient(g.x(), before);
              weight.giveGradient(g.weight());
              if (bias != null && g.bias() != null) bias.giveGradient(g.bias());
            });
    return new WithState(y, out.last());
  }

  /** {@link SelectiveScan}; {@code initial} and {@code begin} may be null. */
  public static WithState selectiveScan(
      Tape tape,
      Var u,
      Var delta,
      Var a,
      Var b,
      Var c,
      Var d,
      Var z,
      Var deltaBias,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    SelectiveScan op = Kernels.of(u.value()).selectiveScan();
    var in =
        new SelectiveScan.Inputs(
            u.value(),
            delta.value(),
            a.value(),
            b.value(),
            c.value(),
            d.value(),
            z.value(),
            deltaBias.value(),
            initial,
            begin);
    SelectiveScan.Output out = op.forward(in, tape.isRecording());
    Var y =
        tape.record(
            out.y(),
            inputs(u, delta, a, b, c, d, z, deltaBias),
            keeping(
                in.u(),
                in.delta(),
                in.a(),
                in.b(),
                in.c(),
                in.d(),
                in.z(),
                in.deltaBias(),
                initial,
                begin,
                out.checkpoints()),
            dy -> {
              SelectiveScan.Gradients g = op.backward(in, out.checkpoints(), dy, null);
              u.giveGradient(g.u());
              delta.giveGradient(g.delta());
              a.giveGradient(g.a());
              b.giveGradient(g.b());
              c.giveGradient(g.c());
              d.giveGradient(g.d());
              z.giveGradient(g.z());
              deltaBias.giveGradient(g.deltaBias());
            });
    return new WithState(y, out.last());
  }

  /**
   * Keys and values as variables.
   *
   * @param past how many of the rows are constant past; gradients of the others flow
   */
  public record StreamVars(Var k, Var v, MemoryAttention.@Nullable Stream past) {}

  /** Long-term memory as variables. */
  public record EideticVars(Var q, Var k, Var v, Var bias) {}

  /** {@link MemoryAttention}; {@code begin} may be null. */
  public static Var memoryAttention(
      Tape tape,
      MemoryAttention.Geometry geometry,
      Var q,
      StreamVars window,
      @Nullable StreamVars fading,
      @Nullable EideticVars eidetic,
      @Nullable Tensor begin) {
    MemoryAttention op = Kernels.of(q.value()).memoryAttention();
    var in =
        new MemoryAttention.Inputs(
            geometry,
            q.value(),
            joined(window),
            fading == null ? null : joined(fading),
            eidetic == null
                ? null
                : new MemoryAttention.Eidetic(
                    eidetic.q().value(),
                    eidetic.k().value(),
                    eidetic.v().value(),
                    eidetic.bias().value()),
            begin);
    MemoryAttention.Output out = op.forward(in);
    MemoryAttention.Stream f = in.fading();
    MemoryAttention.Eidetic e = in.eidetic();
    return tape.record(
        out.out(),
        inputs(
            q,
            window.k(),
            window.v(),
            fading == null ? null : fading.k(),
            fading == null ? null : fading.v(),
            eidetic == null ? null : eidetic.q(),
            eidetic == null ? null : eidetic.k(),
            eidetic == null ? null : eidetic.v(),
            eidetic == null ? null : eidetic.bias()),
        keeping(
            in.q(),
            in.window().k(),
            in.window().v(),
            f == null ? null : f.k(),
            f == null ? null : f.v(),
            e == null ? null : e.q(),
            e == null ? null : e.k(),
            e == null ? null : e.v(),
            e == null ? null : e.bias(),
            out.out(),
            out.logSumExp(),
            begin),
        dy -> {
          MemoryAttention.Gradients g = op.backward(in, out, dy);
          q.giveGradient(g.q());
          long tokens = in.q().size(1);
          addStream(window, g.window(), tokens);
          if (fading != null && g.fading() != null) addStream(fading, g.fading(), tokens);
          if (eidetic != null && g.eidetic() != null) {
            eidetic.q().giveGradient(g.eidetic().q());
            eidetic.k().giveGradient(g.eidetic().k());
            eidetic.v().giveGradient(g.eidetic().v());
            eidetic.bias().giveGradient(g.eidetic().bias());
          }
        });
  }

  private static MemoryAttention.Stream joined(StreamVars s) {
    MemoryAttention.Stream past = s.past();
    if (past == null) return new MemoryAttention.Stream(s.k().value(), s.v().value());
    return new MemoryAttention.Stream(
        cat(1, past.k(), s.k().value()), cat(1, past.v(), s.v().value()));
  }

  /** Past rows are constants; the newest {@code tokens} are the variables'. */
  private static void addStream(StreamVars s, MemoryAttention.Stream g, long tokens) {
    long rows = g.k().size(1);
    s.k().addGradient(g.k().narrow(1, rows - tokens, tokens));
    s.v().addGradient(g.v().narrow(1, rows - tokens, tokens));
  }

  /**
   * Mean cross-entropy over labelled rows, through {@link LinearCrossEntropy}.
   *
   * @param hidden (M, d)
   * @param weight (V, d)
   * @param targets (M) int64
   * @param labelled how many targets are not ignored
   */
  public static Var meanCrossEntropy(
      Tape tape, Var hidden, Var weight, Tensor targets, long labelled) {
    LinearCrossEntropy op = Kernels.of(hidden.value()).linearCrossEntropy();
    double scale = 1.0 / Math.max(1, labelled);
    LinearCrossEntropy.Output out =
        op.forward(hidden.value(), weight.value(), targets, scale, tape.isRecording());
    Tensor dHidden = out.hidden(), dWeight = out.weight();
    return tape.record(
        out.losses().sum().mul(scalar(scale)),
        inputs(hidden, weight),
        keeping(dHidden, dWeight),
        dy -> {
          if (dHidden != null) hidden.giveGradient(dHidden.mul(dy.to(dHidden.scalar_type())));
          if (dWeight != null) weight.giveGradient(dWeight.mul(dy.to(dWeight.scalar_type())));
        });
  }
}
