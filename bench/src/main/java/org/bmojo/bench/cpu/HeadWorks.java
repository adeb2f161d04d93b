package org.bmojo.bench.cpu;

import java.util.List;
import org.bmojo.bench.cpu.CpuLab.Work;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.op.Ssd;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Recurrences with a matrix per head for a state, at sizes (B, T, H, N, P). Counted are the
 * operations of the recurrence token by token, and each activation once.
 */
final class HeadWorks {
  private HeadWorks() {}

  /** Decay, write and read forward; that again, and the walk back. */
  static Work ssd(String name, long[] s, boolean both) {
    Tensor g = decays(s);
    var in = new Ssd.Inputs(queries(s), unit(queries(s)), values(s), g, state(s));
    Tensor dy = values(s), dLast = state(s);
    return new Work(
        name,
        activations(s) * (both ? 3 : 1),
        cells(s) * (both ? 5 + 16 : 5),
        0,
        room -> {
          var out = room.ssd().forward(in, both);
          if (!both) return List.of(out.y(), out.last());
          var d = room.ssd().backward(in, out.checkpoints(), dy, dLast);
          return List.of(out.y(), out.last(), d.q(), d.k(), d.v(), d.g(), d.initial());
        });
  }

  /** The same, with what the state says of a key read before. */
  static Work gatedDelta(String name, long[] s, boolean both) {
    Tensor g = decays(s), beta = torch.rand(s[0], s[1], s[2]);
    var in =
        new GatedDelta.Inputs(unit(queries(s)), unit(queries(s)), values(s), beta, g, state(s));
    Tensor dy = values(s), dLast = state(s);
    return new Work(
        name,
        activations(s) * (both ? 3 : 1),
        cells(s) * (both ? 7 + 22 : 7),
        0,
        room -> {
          var out = room.gatedDelta().forward(in, both);
          if (!both) return List.of(out.y(), out.last());
          var d = room.gatedDelta().backward(in, out.checkpoints(), dy, dLast);
          return List.of(out.y(), out.last(), d.q(), d.k(), d.v(), d.beta(), d.g(), d.initial());
        });
  }

  /**
   * Thirty products of the matrix with a vector and what makes the matrix; backward, thirty more
   * and SSD's walk. N is P.
   */
  static Work gatedRidge(String name, long[] s, boolean both) {
    var solver = new GatedRidge.Solver(0.02, 30, true);
    Tensor g = decays(s), initial = torch.zeros(s[0], s[2], s[3], s[3]);
    var in = new GatedRidge.Inputs(solver, unit(queries(s)), unit(queries(s)), g, initial);
    Tensor dz = queries(s), dLast = state(s);
    double solve = 2 * solver.iterations();
    return new Work(
        name,
        activations(s) * (both ? 2.5 : 0.75),
        cells(s) * (both ? 2 * solve + 3 + 16 : solve + 3),
        0,
        room -> {
          var out = room.gatedRidge().forward(in, both);
          if (!both) return List.of(out.z(), out.last());
          var d = room.gatedRidge().backward(in, out, dz, dLast);
          return List.of(out.z(), out.last(), d.q(), d.k(), d.g(), d.initial());
        });
  }

  /** One token of each sequence. */
  static Work ridgeStep(String name, long[] s) {
    var solver = new GatedRidge.Solver(0.02, 30, true);
    var in = new GatedRidge.Inputs(solver, unit(queries(s)), unit(queries(s)), decays(s), null);
    Tensor k = unit(torch.randn(s[0], s[2], 20, s[3])), m = k.transpose(-1, -2).matmul(k);
    return new Work(
        name,
        2 * cells(s) * Float.BYTES,
        cells(s) * (2 * solver.iterations() + 3),
        0,
        room -> {
          Tensor state = m.clone();
          return List.of(room.gatedRidge().step(in, state), state);
        });
  }

  private static Tensor queries(long[] s) {
    return torch.randn(s[0], s[1], s[2], s[3]);
  }

  private static Tensor values(long[] s) {
    return torch.randn(s[0], s[1], s[2], s[4]);
  }

  private static Tensor state(long[] s) {
    return torch.randn(s[0], s[2], s[3], s[4]);
  }

  private static Tensor decays(long[] s) {
    return torch.rand(s[0], s[1], s[2]).mul(new Scalar(-0.2));
  }

  private static Tensor unit(Tensor t) {
    return t.div(t.square().sum(-1).sqrt().unsqueeze(-1));
  }

  /** Bytes of q, k, v and y. */
  private static double activations(long[] s) {
    return (double) s[0] * s[1] * s[2] * 2 * (s[3] + s[4]) * Float.BYTES;
  }

  /** Elements of all states after all tokens. */
  private static double cells(long[] s) {
    return (double) s[0] * s[1] * s[2] * s[3] * s[4];
  }
}
