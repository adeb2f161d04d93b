package org.bmojo.bench.gpu;

import static org.bmojo.bench.gpu.Experiments.BF16;
import static org.bmojo.bench.gpu.Experiments.F32;
import static org.bmojo.bench.gpu.Experiments.TRUTH;
import static org.bmojo.bench.gpu.Experiments.variants;
import static org.bmojo.bench.gpu.Experiments.wide;
import static org.bmojo.bench.gpu.GpuLab.normal;
import static org.bmojo.bench.gpu.GpuLab.uniform;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.bench.gpu.GpuLab.Experiment;
import org.bmojo.bench.gpu.GpuLab.Proof;
import org.bmojo.bench.gpu.GpuLab.Timing;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.SelectiveScan.Gradients;
import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The selective scan, at the sizes that public kernels are known at. */
record ScanExperiment() implements Experiment {
  @Override
  public String name() {
    return "selective scan";
  }

  private static Inputs inputs(ScalarType type, long b, long t, long i, long n) {
    return new Inputs(
        normal(type, b, t, i),
        normal(type, b, t, i),
        uniform(-16, -1, F32, i, n),
        normal(type, b, t, n),
        normal(type, b, t, n),
        normal(F32, i),
        normal(type, b, t, i),
        uniform(-6.9, -2.3, F32, i),
        normal(F32, b, i, n));
  }

  private static Inputs exact(Inputs in) {
    return new Inputs(
        wide(in.u()),
        wide(in.delta()),
        wide(in.a()),
        wide(in.b()),
        wide(in.c()),
        wide(in.d()),
        wide(in.z()),
        wide(in.deltaBias()),
        wide(Objects.requireNonNull(in.initial())));
  }

  @Override
  public List<Proof> prove(Kernels room, ScalarType type) {
    List<Proof> proofs = new ArrayList<>();
    for (long[] s : new long[][] {{2, 207, 100, 16}, {1, 63, 33, 5}, {3, 1, 64, 16}}) {
      Inputs in = inputs(type, s[0], s[1], s[2], s[3]), truth = exact(in);
      Tensor dy = normal(type, s[0], s[1], s[2]), dLast = normal(F32, s[0], s[2], s[3]);
      var out = room.selectiveScan().forward(in, true);
      var wanted = TRUTH.selectiveScan().forward(truth, true);
      Gradients g = room.selectiveScan().backward(in, out.checkpoints(), dy, dLast);
      Gradients w =
          TRUTH.selectiveScan().backward(truth, wanted.checkpoints(), wide(dy), wide(dLast));
      proofs.add(new Proof("y", out.y(), wanted.y()));
      proofs.add(new Proof("last", out.last(), wanted.last()));
      proofs.add(new Proof("du", g.u(), w.u()));
      proofs.add(new Proof("ddelta", g.delta(), w.delta()));
      proofs.add(new Proof("da", g.a(), w.a()));
      proofs.add(new Proof("db", g.b(), w.b()));
      proofs.add(new Proof("dc", g.c(), w.c()));
      proofs.add(new Proof("dd", g.d(), w.d()));
      proofs.add(new Proof("dz", g.z(), w.z()));
      proofs.add(new Proof("dbias", g.deltaBias(), w.deltaBias()));
      proofs.add(new Proof("dinitial", g.initial(), w.initial()));
    }
    return proofs;
  }

  @Override
  public List<Timing> time(Kernels room) {
    List<Timing> timings = new ArrayList<>();
    for (long[] s : new long[][] {{8, 2048, 1536}, {4, 4096, 4096}, {1, 32768, 4096}}) {
      String shape = " (" + s[0] + ", " + s[1] + ", " + s[2] + ") N 16";
      double bytes = 2.0 * s[0] * s[1] * s[2];
      Inputs in = inputs(BF16, s[0], s[1], s[2], 16);
      Tensor dy = normal(BF16, s[0], s[1], s[2]);
      List<Inputs> sets = List.of(in, inputs(BF16, s[0], s[1], s[2], 16));
      timings.add(
          new Timing(
              "forward" + shape,
              4 * bytes,
              0,
              variants(k -> sets.get(k % 2), x -> room.selectiveScan().forward(x, false))));
      timings.add(
          new Timing(
              "forward for backward",
              4 * bytes,
              0,
              variants(k -> sets.get(k % 2), x -> room.selectiveScan().forward(x, true))));
      timings.add(
          new Timing(
              "forward + backward",
              11 * bytes,
              0,
              variants(
                  k -> sets.get(k % 2),
                  x -> {
                    var out = room.selectiveScan().forward(x, true);
                    room.selectiveScan().backward(x, out.checkpoints(), dy, null);
                  })));
    }
    return timings;
  }
}
