package org.bmojo.bench.gpu;

import static org.bmojo.bench.gpu.GpuLab.normal;
import static org.bmojo.bench.gpu.GpuLab.uniform;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.bmojo.bench.gpu.GpuLab.Experiment;
import org.bmojo.bench.gpu.GpuLab.Proof;
import org.bmojo.bench.gpu.GpuLab.Timing;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The memory-bound operations; the larger ones have files of their own. */
final class Experiments {
  static final ScalarType F32 = ScalarType.Float, BF16 = ScalarType.BFloat16;
  static final Kernels TRUTH = Kernels.REFERENCE;

  private Experiments() {}

  static List<Experiment> all() {
    return List.of(
        new ScanExperiment(),
        new Conv(),
        new Norm(),
        new Gate(),
        new Turn(),
        new Innovation(),
        new Optimizer(),
        new Selection(),
        new Loss(),
        new HeadScanExperiment(false),
        new HeadScanExperiment(true),
        new RidgeExperiment(),
        new AttentionExperiment());
  }

  static Tensor wide(Tensor t) {
    return t.to(ScalarType.Double);
  }

  /** Three sets of inputs, more than the cache holds together. */
  static <T> List<Runnable> variants(IntFunction<T> inputs, java.util.function.Consumer<T> work) {
    return IntStream.range(0, 3)
        .mapToObj(inputs)
        .map(in -> (Runnable) () -> work.accept(in))
        .toList();
  }

  private record Conv() implements Experiment {
    @Override
    public String name() {
      return "causal convolution";
    }

    private static CausalConv.Inputs inputs(ScalarType type, long b, long t, long i) {
      return new CausalConv.Inputs(
          normal(type, b, t, i), normal(F32, i, 4), normal(F32, i), normal(type, b, 3, i));
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      var in = inputs(type, 2, 207, 100);
      Tensor dy = normal(type, 2, 207, 100);
      Tensor bias = Objects.requireNonNull(in.bias()),
          before = Objects.requireNonNull(in.initial());
      var exact = new CausalConv.Inputs(wide(in.x()), wide(in.weight()), wide(bias), wide(before));
      var out = room.causalConv().forward(in);
      var truth = TRUTH.causalConv().forward(exact);
      var g = room.causalConv().backward(in, dy);
      var dTruth = TRUTH.causalConv().backward(exact, wide(dy));
      return List.of(
          new Proof("y", out.y(), truth.y()),
          new Proof("last", out.last(), truth.last()),
          new Proof("dx", g.x(), dTruth.x()),
          new Proof("dweight", g.weight(), dTruth.weight()),
          new Proof("dinitial", g.initial(), dTruth.initial()));
    }

    @Override
    public List<Timing> time(Kernels room) {
      double bytes = 2.0 * 8 * 2048 * 1536;
      Tensor dy = normal(BF16, 8, 2048, 1536);
      return List.of(
          new Timing(
              "forward (8, 2048, 1536) width 4",
              2 * bytes,
              0,
              variants(k -> inputs(BF16, 8, 2048, 1536), in -> room.causalConv().forward(in))),
          new Timing(
              "backward",
              3 * bytes,
              0,
              variants(
                  k -> inputs(BF16, 8, 2048, 1536), in -> room.causalConv().backward(in, dy))));
    }
  }

  private record Norm() implements Experiment {
    @Override
    public String name() {
      return "RMSNorm";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      List<Proof> proofs = new ArrayList<>();
      for (long width : new long[] {64, 207, 1536, 4096}) {
        Tensor x = normal(type, 2, 63, width), w = normal(F32, width);
        Tensor dy = normal(type, 2, 63, width);
        var out = room.rmsNorm().forward(x, w, 1e-5);
        var truth = TRUTH.rmsNorm().forward(wide(x), wide(w), 1e-5);
        var g = room.rmsNorm().backward(x, w, out.scale(), dy);
        var exact = TRUTH.rmsNorm().backward(wide(x), wide(w), truth.scale(), wide(dy));
        proofs.add(new Proof("y", out.y(), truth.y()));
        proofs.add(new Proof("scale", out.scale(), truth.scale()));
        proofs.add(new Proof("dx", g.x(), exact.x()));
        proofs.add(
            new Proof(
                "dweight",
                Objects.requireNonNull(g.weight()),
                Objects.requireNonNull(exact.weight())));
      }
      return proofs;
    }

    @Override
    public List<Timing> time(Kernels room) {
      List<Timing> timings = new ArrayList<>();
      for (long[] shape : new long[][] {{32768, 768}, {16384, 2048}, {524288, 128}}) {
        double bytes = 2.0 * shape[0] * shape[1];
        Tensor w = normal(F32, shape[1]), scale = uniform(0.5, 1, F32, shape[0]);
        String title = " (" + shape[0] + ", " + shape[1] + ")";
        timings.add(
            new Timing(
                "forward" + title,
                2 * bytes,
                0,
                variants(k -> normal(BF16, shape), x -> room.rmsNorm().forward(x, w, 1e-5))));
        timings.add(
            new Timing(
                "backward" + title,
                3 * bytes,
                0,
                variants(
                    k -> new Tensor[] {normal(BF16, shape), normal(BF16, shape)},
                    x -> room.rmsNorm().backward(x[0], w, scale, x[1]))));
      }
      return timings;
    }
  }

  private record Gate() implements Experiment {
    @Override
    public String name() {
      return "SwiGLU";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      Tensor g = normal(type, 63, 207), u = normal(type, 63, 207), d = normal(type, 63, 207);
      var out = room.swiGlu().backward(g, u, d);
      var truth = TRUTH.swiGlu().backward(wide(g), wide(u), wide(d));
      return List.of(
          new Proof("y", room.swiGlu().forward(g, u), TRUTH.swiGlu().forward(wide(g), wide(u))),
          new Proof("dgate", out.gate(), truth.gate()),
          new Proof("dup", out.up(), truth.up()));
    }

    @Override
    public List<Timing> time(Kernels room) {
      long[] shape = {32768, 2048};
      double bytes = 2.0 * shape[0] * shape[1];
      return List.of(
          new Timing(
              "forward (32768, 2048)",
              3 * bytes,
              0,
              variants(
                  k -> new Tensor[] {normal(BF16, shape), normal(BF16, shape)},
                  x -> room.swiGlu().forward(x[0], x[1]))),
          new Timing(
              "backward",
              5 * bytes,
              0,
              variants(
                  k -> new Tensor[] {normal(BF16, shape), normal(BF16, shape), normal(BF16, shape)},
                  x -> room.swiGlu().backward(x[0], x[1], x[2]))));
    }
  }

  private record Turn() implements Experiment {
    @Override
    public String name() {
      return "rotary embedding";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      Tensor x = normal(type, 2, 63, 3, 32), cos = normal(F32, 63, 16), sin = normal(F32, 63, 16);
      return List.of(
          new Proof(
              "y",
              room.rotary().forward(x, cos, sin),
              TRUTH.rotary().forward(wide(x), wide(cos), wide(sin))),
          new Proof(
              "dx",
              room.rotary().backward(x, cos.narrow(0, 0, 1), sin.narrow(0, 0, 1)),
              TRUTH
                  .rotary()
                  .backward(wide(x), wide(cos.narrow(0, 0, 1)), wide(sin.narrow(0, 0, 1)))));
    }

    @Override
    public List<Timing> time(Kernels room) {
      Tensor cos = normal(F32, 4096, 64), sin = normal(F32, 4096, 64);
      return List.of(
          new Timing(
              "forward (8, 4096, 16, 128)",
              4.0 * 8 * 4096 * 16 * 128,
              0,
              variants(
                  k -> normal(BF16, 8, 4096, 16, 128), x -> room.rotary().forward(x, cos, sin))));
    }
  }

  private record Innovation() implements Experiment {
    @Override
    public String name() {
      return "innovation score";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      Tensor x = normal(type, 2, 63, 768), p = normal(type, 2, 63, 768), de = normal(F32, 2, 63);
      var g = room.innovationScore().backward(x, p, de);
      var truth = TRUTH.innovationScore().backward(wide(x), wide(p), wide(de));
      return List.of(
          new Proof(
              "e",
              room.innovationScore().forward(x, p),
              TRUTH.innovationScore().forward(wide(x), wide(p))),
          new Proof("dx", g.x(), truth.x()),
          new Proof("dpredicted", g.predicted(), truth.predicted()));
    }

    @Override
    public List<Timing> time(Kernels room) {
      double bytes = 2.0 * 4 * 4096 * 2048;
      return List.of(
          new Timing(
              "forward (4, 4096, 2048)",
              2 * bytes,
              0,
              variants(
                  k -> new Tensor[] {normal(BF16, 4, 4096, 2048), normal(BF16, 4, 4096, 2048)},
                  x -> room.innovationScore().forward(x[0], x[1]))));
    }
  }

  private record Optimizer() implements Experiment {
    @Override
    public String name() {
      return "AdamW";
    }

    private static AdamW.Slot slot(ScalarType gradient, long... shape) {
      return new AdamW.Slot(
          normal(F32, shape),
          gradient == BF16 ? normal(BF16, shape) : null,
          normal(gradient, shape),
          normal(F32, shape),
          uniform(0, 1, F32, shape),
          0.1);
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      List<AdamW.Slot> slots = List.of(slot(type, 63, 207), slot(type, 5), slot(type, 300, 128));
      List<AdamW.Slot> exact =
          slots.stream()
              .map(s ->
                  new AdamW.Slot(
                      wide(s.weight()),
                      null,
                      wide(s.gradient()),
                      wide(s.first()),
                      wide(s.second()),
                      s.decay()))
              .toList();
      var settings = new AdamW.Settings(1e-3, 0.9, 0.95, 1e-8, 3, 0.5);
      Tensor norm = room.adamW().gradientNorm(slots), truth = TRUTH.adamW().gradientNorm(exact);
      room.adamW().step(slots, settings, norm);
      TRUTH.adamW().step(exact, settings, truth);
      List<Proof> proofs = new ArrayList<>();
      proofs.add(new Proof("norm", norm, truth));
      for (int i = 0; i < slots.size(); i++) {
        proofs.add(new Proof("weight", slots.get(i).weight(), exact.get(i).weight()));
        proofs.add(new Proof("first", slots.get(i).first(), exact.get(i).first()));
        proofs.add(new Proof("second", slots.get(i).second(), exact.get(i).second()));
        Tensor copy = slots.get(i).copy();
        if (copy != null) proofs.add(new Proof("copy", copy, exact.get(i).weight()));
      }
      return proofs;
    }

    @Override
    public List<Timing> time(Kernels room) {
      double elements = 50.0 * 2048 * 1280;
      return List.of(
          step(room, "step, 131M parameters, 50 tensors", F32, 28 * elements),
          step(room, "step, bfloat16 gradients and copies", BF16, 28 * elements),
          norm(room, "gradient norm, float32", F32, 4 * elements),
          norm(room, "gradient norm, bfloat16", BF16, 2 * elements));
    }

    private static Timing step(Kernels room, String name, ScalarType gradient, double bytes) {
      List<AdamW.Slot> slots = many(gradient);
      var settings = new AdamW.Settings(1e-3, 0.9, 0.95, 1e-8, 3, 0.5);
      Tensor norm = room.adamW().gradientNorm(slots);
      return new Timing(name, bytes, 0, List.of(() -> room.adamW().step(slots, settings, norm)));
    }

    private static Timing norm(Kernels room, String name, ScalarType gradient, double bytes) {
      List<AdamW.Slot> slots = many(gradient);
      return new Timing(name, bytes, 0, List.of(() -> room.adamW().gradientNorm(slots)));
    }

    private static List<AdamW.Slot> many(ScalarType gradient) {
      return IntStream.range(0, 50).mapToObj(i -> slot(gradient, 2048, 1280)).toList();
    }
  }

  private record Loss() implements Experiment {
    @Override
    public String name() {
      return "linear cross-entropy";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      Tensor h = normal(type, 63, 128), w = normal(type, 1000, 128).div(Tensors.scalar(11));
      Tensor targets = uniform(0, 1000, F32, 63).to(ScalarType.Long);
      targets.narrow(0, 5, 2).fill_(new Scalar(-100L));
      var out = room.linearCrossEntropy().forward(h, w, targets, 0.5, true);
      var truth = TRUTH.linearCrossEntropy().forward(wide(h), wide(w), targets, 0.5, true);
      return List.of(
          new Proof("losses", out.losses(), truth.losses()),
          new Proof(
              "dhidden",
              Objects.requireNonNull(out.hidden()),
              Objects.requireNonNull(truth.hidden())),
          new Proof(
              "dweight",
              Objects.requireNonNull(out.weight()),
              Objects.requireNonNull(truth.weight())));
    }

    @Override
    public List<Timing> time(Kernels room) {
      long m = 16384, v = 50304, d = 768;
      Tensor h = normal(BF16, m, d), w = normal(BF16, v, d);
      Tensor targets = uniform(0, v, F32, m).to(ScalarType.Long);
      return List.of(
          new Timing(
              "forward with gradients, 16384 × 768 × 50304",
              0,
              6.0 * m * v * d,
              List.of(() -> room.linearCrossEntropy().forward(h, w, targets, 1, true))));
    }
  }

  private record Selection() implements Experiment {
    @Override
    public String name() {
      return "eidetic selection";
    }

    @Override
    public List<Proof> prove(Kernels room, ScalarType type) {
      List<Proof> proofs = new ArrayList<>();
      for (long start : new long[] {0, 37, 64, 100}) {
        var rule = new EideticSelect.Rule(7, 20, 16);
        long tail = rule.tail(start);
        // Few different scores: ties are decided by position.
        Tensor scores = normal(F32, 2, tail + 207).mul(Tensors.scalar(3)).round();
        Tensor kept = torch.full(new long[] {2, 7}, new Scalar(-1L));
        kept = kept.to(scores.device(), ScalarType.Long);
        Tensor keptScores = normal(F32, 2, 7);
        if (start >= 37) {
          kept.narrow(1, 0, 2).copy_(torch.arange(new Scalar(2L)));
        }
        var out = room.eideticSelect().forward(rule, scores, start, kept, keptScores);
        var truth = TRUTH.eideticSelect().forward(rule, scores, start, kept, keptScores);
        proofs.add(new Proof("positions", out.positions(), truth.positions()));
        proofs.add(new Proof("rows", out.rows(), truth.rows()));
      }
      return proofs;
    }

    @Override
    public List<Timing> time(Kernels room) {
      List<Timing> timings = new ArrayList<>();
      for (long[] shape : new long[][] {{4, 4096}, {1, 32768}}) {
        var rule = new EideticSelect.Rule(128, 512, 128);
        Tensor scores = normal(F32, shape), keptScores = normal(F32, shape[0], 128);
        Tensor kept = torch.full_like(keptScores, new Scalar(-1.0));
        Tensor positions = kept.to(ScalarType.Long);
        timings.add(
            new Timing(
                "(" + shape[0] + ", " + shape[1] + ") E 128, W 512, C 128",
                0,
                0,
                List.of(
                    () -> room.eideticSelect().forward(rule, scores, 0, positions, keptScores))));
      }
      return timings;
    }
  }
}
