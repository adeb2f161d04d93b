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
import org.bmojo.bench.gpu.GpuLab.Experiment;
import org.bmojo.bench.gpu.GpuLab.Proof;
import org.bmojo.bench.gpu.GpuLab.Timing;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Recurrences with a matrix per head, at the sizes of models of 130 million and 1.4 billion
 * parameters and at a long sequence; the reference room beside them.
 *
 * @param delta the gated delta rule; else state-space duality
 */
record HeadScanExperiment(boolean delta) implements Experiment {
  @Override
  public String name() {
    return delta ? "gated delta rule" : "SSD";
  }

  /** Batch, tokens, heads, N, P. */
  private record Size(long batch, long tokens, long heads, long states, long values) {
    /** Queries and keys of unit length, roughly. */
    Tensor[] inputs(ScalarType type) {
      return new Tensor[] {
        unit(type),
        unit(type),
        values(type),
        uniform(0.1, 0.9, type, batch, tokens, heads),
        decays()
      };
    }

    private Tensor unit(ScalarType type) {
      Tensor t = normal(F32, batch, tokens, heads, states);
      return t.div(Tensors.scalar(Math.sqrt(states))).to(type);
    }

    Tensor values(ScalarType type) {
      return normal(type, batch, tokens, heads, values);
    }

    private Tensor decays() {
      return uniform(-0.4, -0.001, F32, batch, tokens, heads);
    }

    Tensor state() {
      return normal(F32, batch, heads, states, values);
    }

    /** Bytes of bfloat16 that go in and come out. */
    double bytes(int keys, int outs) {
      return 2.0 * batch * tokens * heads * (keys * states + outs * values);
    }
  }

  /** y, last, and gradients. */
  private List<Tensor> both(Kernels room, Tensor[] t, Tensor initial, Tensor dy, Tensor dLast) {
    if (delta) {
      var in = new GatedDelta.Inputs(t[0], t[1], t[2], t[3], t[4], initial);
      var out = room.gatedDelta().forward(in, true);
      var d = room.gatedDelta().backward(in, out.checkpoints(), dy, dLast);
      return List.of(out.y(), out.last(), d.q(), d.k(), d.v(), d.g(), d.initial(), d.beta());
    }
    var in = new Ssd.Inputs(t[0], t[1], t[2], t[4], initial);
    var out = room.ssd().forward(in, true);
    var d = room.ssd().backward(in, out.checkpoints(), dy, dLast);
    return List.of(out.y(), out.last(), d.q(), d.k(), d.v(), d.g(), d.initial());
  }

  private void forward(Kernels room, Tensor[] t) {
    if (delta) {
      room.gatedDelta().forward(new GatedDelta.Inputs(t[0], t[1], t[2], t[3], t[4], null), false);
    } else {
      room.ssd().forward(new Ssd.Inputs(t[0], t[1], t[2], t[4], null), false);
    }
  }

  /** Where the reference room has all it needs: its triangular solver is a library of its own. */
  private static Tensor onCpu(Tensor t) {
    return wide(t).cpu();
  }

  @Override
  public List<Proof> prove(Kernels room, ScalarType type) {
    List<String> names = List.of("y", "last", "dq", "dk", "dv", "dg", "dinitial", "dbeta");
    List<Proof> proofs = new ArrayList<>();
    for (Size s : List.of(new Size(2, 207, 3, 128, 64), new Size(1, 1100, 2, 64, 128))) {
      Tensor[] in = s.inputs(type), exact = new Tensor[in.length];
      for (int i = 0; i < in.length; i++) exact[i] = onCpu(in[i]);
      Tensor initial = s.state(), dy = s.values(type), dLast = s.state();
      List<Tensor> ours = both(room, in, initial, dy, dLast);
      List<Tensor> truth = both(TRUTH, exact, onCpu(initial), onCpu(dy), onCpu(dLast));
      for (int i = 0; i < ours.size(); i++) {
        proofs.add(new Proof(names.get(i), ours.get(i).cpu(), truth.get(i)));
      }
    }
    return proofs;
  }

  @Override
  public List<Timing> time(Kernels room) {
    List<Timing> timings = new ArrayList<>();
    Size small = new Size(8, 2048, 24, 128, 64), large = new Size(4, 2048, 64, 128, 64);
    for (Size s : List.of(small, large, new Size(1, 32768, 32, 128, 64))) time(timings, s, room);
    for (Size s : List.of(small, large)) time(timings, s, TRUTH);
    return timings;
  }

  private void time(List<Timing> timings, Size s, Kernels room) {
    String shape =
        " (" + s.batch + ", " + s.tokens + ", " + s.heads + ") N " + s.states + " P " + s.values;
    Tensor dy = s.values(BF16), none = s.state().mul(Tensors.scalar(0));
    List<Tensor[]> sets = List.of(s.inputs(BF16), s.inputs(BF16));
    timings.add(
        new Timing(
            room.name() + " forward" + shape,
            s.bytes(2, 2),
            0,
            variants(k -> sets.get(k % 2), t -> forward(room, t))));
    timings.add(
        new Timing(
            room.name() + " forward + backward",
            s.bytes(6, 5),
            0,
            variants(k -> sets.get(k % 2), t -> both(room, t, none, dy, none))));
  }
}
