package org.bmojo.bench.gpu;

import static org.bmojo.bench.gpu.Experiments.BF16;
import static org.bmojo.bench.gpu.Experiments.F32;
import static org.bmojo.bench.gpu.Experiments.TRUTH;
import static org.bmojo.bench.gpu.Experiments.wide;
import static org.bmojo.bench.gpu.GpuLab.normal;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.bench.gpu.GpuLab.Experiment;
import org.bmojo.bench.gpu.GpuLab.Proof;
import org.bmojo.bench.gpu.GpuLab.Timing;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** B'MOJO's attention, and its parts alone. */
record AttentionExperiment() implements Experiment {
  @Override
  public String name() {
    return "memory attention";
  }

  private record Size(
      long b, long t, long past, long h, long g, long d, int w, int f, int e, int c) {
    Inputs inputs(ScalarType type) {
      var geometry = new Geometry(past, w, f, c, 1 / Math.sqrt(d));
      long chunks = (past + t - 1) / c - past / c + 1;
      return new Inputs(
          geometry,
          normal(type, b, t, h, d),
          new Stream(normal(type, b, past + t, g, d), normal(type, b, past + t, g, d)),
          f == 0
              ? null
              : new Stream(normal(type, b, past + t, g, d), normal(type, b, past + t, g, d)),
          e == 0
              ? null
              : new Eidetic(
                  normal(type, b, t, h, d),
                  normal(type, b, chunks, e, g, d),
                  normal(type, b, chunks, e, g, d),
                  normal(F32, b, chunks, h, e)));
    }

    String title() {
      return String.format("%d×%d, %d×%d, W %d F %d E %d", b, t, h, d, w, f, e);
    }

    /** Logits that count, over the whole batch and all heads. */
    double pairs() {
      double sum = 0;
      for (long i = past; i < past + t; i++) {
        sum += Math.min(i + 1, w) + Math.clamp(i - w + 1, 0, f) + e;
      }
      return sum * b * h;
    }
  }

  private static Stream wideStream(Stream s) {
    return new Stream(wide(s.k()), wide(s.v()));
  }

  private static Inputs exact(Inputs in) {
    Stream fading = in.fading();
    Eidetic e = in.eidetic();
    return new Inputs(
        in.geometry(),
        wide(in.q()),
        wideStream(in.window()),
        fading == null ? null : wideStream(fading),
        e == null ? null : new Eidetic(wide(e.q()), wide(e.k()), wide(e.v()), wide(e.bias())));
  }

  @Override
  public List<Proof> prove(Kernels room, ScalarType type) {
    List<Proof> proofs = new ArrayList<>();
    for (Size size :
        List.of(
            new Size(2, 207, 0, 4, 2, 64, 32, 32, 13, 16),
            new Size(1, 63, 41, 2, 2, 128, 16, 24, 20, 16),
            new Size(1, 64, 0, 2, 1, 32, 1000, 0, 0, 16),
            new Size(2, 130, 10, 2, 1, 128, 32, 0, 128, 64),
            new Size(1, 300, 5, 4, 2, 96, 64, 64, 200, 128))) {
      Inputs in = size.inputs(type), truth = exact(in);
      Tensor dOut = normal(type, size.b, size.t, size.h, size.d);
      var out = room.memoryAttention().forward(in);
      var wanted = TRUTH.memoryAttention().forward(truth);
      var g = room.memoryAttention().backward(in, out, dOut);
      var w = TRUTH.memoryAttention().backward(truth, wanted, wide(dOut));
      proofs.add(new Proof("out", out.out(), wanted.out()));
      proofs.add(new Proof("logSumExp", out.logSumExp(), wanted.logSumExp()));
      proofs.add(new Proof("dq", g.q(), w.q()));
      proofs.add(new Proof("dk", g.window().k(), w.window().k()));
      proofs.add(new Proof("dv", g.window().v(), w.window().v()));
      if (in.fading() != null) {
        Stream a = Objects.requireNonNull(g.fading()), b = Objects.requireNonNull(w.fading());
        proofs.add(new Proof("fading dk", a.k(), b.k()));
        proofs.add(new Proof("fading dv", a.v(), b.v()));
      }
      if (in.eidetic() != null) {
        Eidetic a = Objects.requireNonNull(g.eidetic()), b = Objects.requireNonNull(w.eidetic());
        proofs.add(new Proof("eidetic dq", a.q(), b.q()));
        proofs.add(new Proof("eidetic dk", a.k(), b.k()));
        proofs.add(new Proof("eidetic dv", a.v(), b.v()));
        proofs.add(new Proof("eidetic dbias", a.bias(), b.bias()));
      }
    }
    return proofs;
  }

  @Override
  public List<Timing> time(Kernels room) {
    List<Timing> timings = new ArrayList<>();
    for (Size size :
        List.of(
            new Size(4, 4096, 0, 16, 16, 128, 1024, 0, 0, 128),
            new Size(4, 4096, 0, 16, 16, 128, 512, 512, 0, 128),
            new Size(4, 4096, 0, 16, 16, 128, 512, 512, 128, 128),
            new Size(16, 2048, 0, 12, 12, 64, 1024, 0, 0, 128),
            new Size(16, 2048, 0, 12, 12, 64, 512, 512, 0, 128),
            new Size(16, 2048, 0, 12, 12, 64, 512, 512, 128, 128))) {
      Inputs in = size.inputs(BF16);
      Tensor dOut = normal(BF16, size.b, size.t, size.h, size.d);
      double operations = 4.0 * size.pairs() * size.d;
      timings.add(
          new Timing(
              "forward " + size.title(),
              0,
              operations,
              List.of(() -> room.memoryAttention().forward(in))));
      var out = room.memoryAttention().forward(in);
      timings.add(
          new Timing(
              "backward",
              0,
              2.5 * operations,
              List.of(() -> room.memoryAttention().backward(in, out, dOut))));
    }
    return timings;
  }
}
