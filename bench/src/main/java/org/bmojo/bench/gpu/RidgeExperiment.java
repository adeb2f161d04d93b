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
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Gated KalmaNet's solver: sequences of two models, a long one, and one token of many sequences.
 */
record RidgeExperiment() implements Experiment {
  private static final GatedRidge.Solver SOLVER = new GatedRidge.Solver(0.02, 30, true);

  @Override
  public String name() {
    return "GKA gated ridge";
  }

  /** Batch, tokens, heads, D. */
  private record Size(long batch, long tokens, long heads, long dim) {
    GatedRidge.Inputs inputs(ScalarType type, Tensor initial) {
      Tensor g = uniform(-0.4, -0.001, F32, batch, tokens, heads);
      return new GatedRidge.Inputs(SOLVER, unit(type), unit(type), g, initial);
    }

    /** Of unit length, roughly. */
    private Tensor unit(ScalarType type) {
      Tensor t = normal(F32, batch, tokens, heads, dim);
      return t.div(Tensors.scalar(Math.sqrt(dim))).to(type);
    }

    Tensor activation(ScalarType type) {
      return normal(type, batch, tokens, heads, dim);
    }

    /** As a sequence before this one would leave it. */
    Tensor gram() {
      Tensor t = state();
      return t.matmul(t.transpose(-1, -2)).div(Tensors.scalar(dim)).contiguous();
    }

    Tensor state() {
      return normal(F32, batch, heads, dim, dim);
    }

    Tensor nothing() {
      return state().mul(Tensors.scalar(0));
    }

    /** Bytes of bfloat16 that go in and come out. */
    double bytes(int tensors) {
      return 2.0 * batch * tokens * heads * dim * tensors;
    }

    /**
     * Of so many solutions: a product with the matrix before a chunk and two with the chunk's keys,
     * half of them later ones, an iteration; planes and the other half are our own affair.
     */
    double operations(int solutions) {
      double iteration = 2.0 * dim * dim + 2 * 65 * dim;
      return batch * tokens * heads * iteration * SOLVER.iterations() * solutions;
    }

    String title() {
      return " (" + batch + ", " + tokens + ", " + heads + ") D " + dim;
    }
  }

  private static List<Tensor> both(Kernels room, GatedRidge.Inputs in, Tensor dz, Tensor dLast) {
    var out = room.gatedRidge().forward(in, true);
    var d = room.gatedRidge().backward(in, out, dz, dLast);
    return List.of(out.z(), out.last(), d.q(), d.k(), d.g(), d.initial());
  }

  @Override
  public List<Proof> prove(Kernels room, ScalarType type) {
    List<String> names = List.of("z", "last", "dq", "dk", "dg", "dinitial");
    List<Proof> proofs = new ArrayList<>();
    for (Size s : List.of(new Size(2, 207, 3, 64), new Size(1, 330, 2, 128))) {
      Tensor initial = s.gram(), dz = s.activation(type), dLast = s.state();
      var in = s.inputs(type, initial);
      var exact =
          new GatedRidge.Inputs(SOLVER, wide(in.q()), wide(in.k()), wide(in.g()), wide(initial));
      List<Tensor> ours = both(room, in, dz, dLast);
      // Gradients of the z given out: a matrix of condition 50 makes much of its rounding.
      var out = TRUTH.gatedRidge().forward(exact, true);
      var given = new GatedRidge.Output(wide(ours.get(0)), out.last(), out.checkpoints());
      var d = TRUTH.gatedRidge().backward(exact, given, wide(dz), wide(dLast));
      List<Tensor> truth = List.of(out.z(), out.last(), d.q(), d.k(), d.g(), d.initial());
      for (int i = 0; i < ours.size(); i++) {
        proofs.add(new Proof(names.get(i), ours.get(i), truth.get(i)));
      }
      var token = new Size(s.batch, 1, s.heads, s.dim).inputs(type, initial);
      var same =
          new GatedRidge.Inputs(SOLVER, wide(token.q()), wide(token.k()), wide(token.g()), null);
      Tensor state = initial.clone(), wanted = wide(initial);
      proofs.add(
          new Proof(
              "z of a step",
              room.gatedRidge().step(token, state),
              TRUTH.gatedRidge().step(same, wanted)));
      proofs.add(new Proof("state of a step", state, wanted));
    }
    return proofs;
  }

  @Override
  public List<Timing> time(Kernels room) {
    List<Timing> timings = new ArrayList<>();
    Size small = new Size(8, 2048, 24, 64), large = new Size(8, 2048, 12, 128);
    for (Size s : List.of(small, large, new Size(1, 32768, 16, 128))) time(timings, s, room);
    for (Size s : List.of(small, large)) time(timings, s, TRUTH);
    for (Size s : List.of(new Size(64, 1, 24, 64), new Size(64, 1, 12, 128))) {
      Tensor state = s.gram();
      timings.add(
          new Timing(
              "step" + s.title(),
              8.0 * state.numel() + s.bytes(3),
              0,
              variants(i -> s.inputs(BF16, state), in -> room.gatedRidge().step(in, state))));
    }
    return timings;
  }

  private static void time(List<Timing> timings, Size s, Kernels room) {
    Tensor dz = s.activation(BF16), none = s.nothing();
    var sets = List.of(s.inputs(BF16, none), s.inputs(BF16, none));
    timings.add(
        new Timing(
            room.name() + " forward" + s.title(),
            s.bytes(3),
            s.operations(1),
            variants(i -> sets.get(i % 2), in -> room.gatedRidge().forward(in, false))));
    timings.add(
        new Timing(
            room.name() + " forward + backward",
            s.bytes(8),
            s.operations(2),
            variants(i -> sets.get(i % 2), in -> both(room, in, dz, none))));
  }
}
