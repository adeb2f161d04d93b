package org.bmojo.bench.cpu;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ForkJoinWorkerThread;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Gradients;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Memory attention on the CPU: proved against the reference room in float64, then timed beside the
 * cores' multiply-add peak and, where it is the same function, libtorch's own attention.
 *
 * <p>{@code java @bench/target/cpu/java.args org.bmojo.bench.cpu.AttentionLab}
 *
 * <p>FLOPs are those of the pairs of a query and a key that it sees, 4·D each forward (two
 * products) and 10·D backward (five); what tiles compute beyond their edges does not count.
 */
public final class AttentionLab {
  /** Sizes of one call; E = 0 and F = 0 switch parts off. */
  private record Size(
      long batch,
      long tokens,
      long heads,
      long groups,
      long dim,
      int window,
      int fading,
      int slots,
      int chunk) {
    static final int FULL = MemoryAttention.UNBOUNDED;

    long pairs() {
      long pairs = 0;
      for (long i = 0; i < tokens; i++) {
        pairs += Math.min(i + 1, window) + Math.clamp(i - window + 1, 0, fading) + slots;
      }
      return pairs * batch * heads;
    }

    Size shortened() {
      return new Size(1, Math.min(tokens, 300), heads, groups, dim, window, fading, slots, chunk);
    }
  }

  private static final List<Size> SIZES =
      List.of(
          new Size(8, 256, 4, 4, 32, 64, 64, 64, 32),
          new Size(8, 256, 4, 4, 64, 64, 64, 64, 32),
          new Size(16, 256, 1, 1, 128, 32, 32, 64, 16),
          new Size(4, 512, 4, 4, 64, 128, 128, 64, 64),
          new Size(2, 1024, 4, 2, 64, 256, 256, 128, 128),
          new Size(2, 2048, 4, 4, 32, 512, 512, 128, 128),
          new Size(2, 2048, 4, 4, 64, 512, 512, 128, 128),
          new Size(1, 2048, 1, 1, 64, 512, 512, 128, 128),
          new Size(2, 2048, 4, 4, 64, 512, 0, 0, 1),
          new Size(8, 256, 4, 4, 64, Size.FULL, 0, 0, 1),
          new Size(1, 2048, 4, 4, 32, Size.FULL, 0, 0, 1),
          new Size(1, 2048, 4, 4, 64, Size.FULL, 0, 0, 1),
          new Size(1, 2048, 4, 4, 128, Size.FULL, 0, 0, 1));

  private AttentionLab() {}

  /** Runs everything. */
  public static void main(String[] args) {
    MemoryAttention room = Kernels.cpu().memoryAttention();
    double peak = FmaPeak.measure();
    System.out.printf("multiply-add peak of a core: %.0f GFLOP/s float32%n", peak);
    System.out.println(
        "| B | T | H/G | D | W | F | E | C | error | forward ms | GFLOP/s | of peak |"
            + " backward ms | GFLOP/s | of peak | libtorch forward ms | GFLOP/s | of peak |");
    for (Size size : SIZES) {
      double error = prove(room, size.shortened());
      try (Scope scope = new Scope()) {
        torch.manual_seed(1);
        time(room, size, error, peak);
      }
    }
  }

  private static void time(MemoryAttention room, Size s, double error, double peak) {
    Inputs in = draw(s);
    Tensor dOut = torch.randn_like(in.q());
    var forward = room.forward(in);
    boolean full = s.window == Size.FULL;
    String what =
        "| %d | %d | %d/%d | %d | %s | %d | %d | %d | %.0e |"
            .formatted(
                s.batch,
                s.tokens,
                s.heads,
                s.groups,
                s.dim,
                full ? "all" : s.window,
                s.fading,
                s.slots,
                s.chunk,
                error);
    double flops = 4.0 * s.dim * s.pairs() * 1e-9;
    System.out.println(
        what
            + Clock.of(() -> room.forward(in)).cells(flops, peak)
            + Clock.of(() -> room.backward(in, forward, dOut)).cells(2.5 * flops, peak)
            + (full ? Clock.of(() -> libtorch(in)).cells(flops, peak) : ""));
  }

  private static void libtorch(Inputs in) {
    if (Thread.currentThread() instanceof ForkJoinWorkerThread) torch.set_num_threads(1);
    Tensor q = in.q().transpose(1, 2), k = in.window().k().transpose(1, 2);
    Tensor v = in.window().v().transpose(1, 2);
    torch.scaled_dot_product_attention(
        q, k, v, new TensorOptional(), 0, true, new DoubleOptional(), false);
  }

  /** The largest relative error of the output and of every gradient. */
  private static double prove(MemoryAttention room, Size size) {
    try (Scope scope = new Scope()) {
      torch.manual_seed(2);
      Inputs in = draw(size), wide = widen(in);
      Tensor dOut = torch.randn_like(in.q());
      MemoryAttention reference = Kernels.REFERENCE.memoryAttention();
      var out = room.forward(in);
      var truth = reference.forward(wide);
      var gradients = room.backward(in, out, dOut);
      var slopes = reference.backward(wide, truth, dOut.to(ScalarType.Double));
      double error = error(out.out(), truth.out());
      Iterator<Tensor> right = tensors(slopes).iterator();
      for (Tensor g : tensors(gradients)) error = Math.max(error, error(g, right.next()));
      if (!(error < 1e-5)) throw new IllegalStateException(size + ": relative error " + error);
      return error;
    }
  }

  private static List<Tensor> tensors(Gradients g) {
    List<Tensor> all = new ArrayList<>(List.of(g.q(), g.window().k(), g.window().v()));
    if (g.fading() != null) all.addAll(List.of(g.fading().k(), g.fading().v()));
    Eidetic e = g.eidetic();
    if (e != null) all.addAll(List.of(e.q(), e.k(), e.v(), e.bias()));
    return all;
  }

  private static double error(Tensor actual, Tensor wanted) {
    double scale = Math.max(wanted.abs().max().item_double(), 1e-30);
    return actual.to(ScalarType.Double).sub(wanted).abs().max().item_double() / scale;
  }

  private static Inputs draw(Size s) {
    Geometry g = new Geometry(0, s.window, s.fading, s.chunk, 1 / Math.sqrt(s.dim));
    long chunks = Math.ceilDiv(s.tokens, s.chunk);
    return new Inputs(
        g,
        torch.randn(s.batch, s.tokens, s.heads, s.dim),
        stream(s),
        s.fading == 0 ? null : stream(s),
        s.slots == 0
            ? null
            : new Eidetic(
                torch.randn(s.batch, s.tokens, s.heads, s.dim),
                torch.randn(s.batch, chunks, s.slots, s.groups, s.dim),
                torch.randn(s.batch, chunks, s.slots, s.groups, s.dim),
                torch.randn(s.batch, chunks, s.heads, s.slots)));
  }

  private static Stream stream(Size s) {
    return new Stream(
        torch.randn(s.batch, s.tokens, s.groups, s.dim),
        torch.randn(s.batch, s.tokens, s.groups, s.dim));
  }

  private static Inputs widen(Inputs in) {
    Stream fading = in.fading();
    Eidetic e = in.eidetic();
    return new Inputs(
        in.geometry(),
        wide(in.q()),
        new Stream(wide(in.window().k()), wide(in.window().v())),
        fading == null ? null : new Stream(wide(fading.k()), wide(fading.v())),
        e == null ? null : new Eidetic(wide(e.q()), wide(e.k()), wide(e.v()), wide(e.bias())));
  }

  private static Tensor wide(Tensor t) {
    return t.to(ScalarType.Double);
  }
}
