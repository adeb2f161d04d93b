package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Output;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code memory_attention.cu}: window, fading and eidetic keys under one softmax, in one launch.
 */
final class JointForward {
  /** Largest head that registers hold. */
  static final int WIDEST = 128;

  /** Stands for an unbounded window; sums with positions stay ints. */
  static final int LONGEST = 1 << 29;

  private static final int KEYS = 64;

  private JointForward() {}

  /** Of heads of at most {@link #WIDEST}. */
  static Output run(Door door, Inputs in) {
    try (Scope scope = new Scope()) {
      Geometry g = in.geometry();
      Tensor q = door.activation("q", in.q());
      long batch = q.size(0), tokens = q.size(1), heads = q.size(2), dim = q.size(3);
      Stream window = in.window(), fading = CudaMemoryAttention.faded(in);
      Eidetic eidetic = CudaMemoryAttention.remembered(in);
      int most = dim > 64 ? 4 : 8;
      // Without chunks of their own, queries are cut into tiles.
      int chunk = eidetic == null ? 16 * most : g.chunk();
      int lead = eidetic == null ? 0 : (int) (g.start() % chunk);
      long longest = Math.min(chunk, tokens), chunks = (lead + tokens - 1) / chunk + 1;
      int warps = most;
      int room = Device.of(q).shared();
      while (warps > 1 && (8 * warps >= longest || shared(warps, dim) > room)) warps /= 2;
      long rows = 16 * warps, tiles = (longest + rows - 1) / rows;
      Tensor out = empty(q, Shapes.of(q)), logSumExp = Floats.empty(q, batch, tokens, heads);
      Tensor begin = door.beginOrNull(in.begin());
      Program.of(q, "memory_attention", "HEAD=" + dim, "WARPS=" + warps, packed(begin))
          .kernel("attention_forward")
          .launch(
              new Grid(chunks * tiles, heads, batch, 32 * warps, shared(warps, dim)),
              q,
              door.activation("window k", window.k()),
              door.activation("window v", window.v()),
              (int) window.k().size(1),
              Math.min(g.window(), LONGEST),
              dense(door, "fading k", fading == null ? null : fading.k()),
              dense(door, "fading v", fading == null ? null : fading.v()),
              fading == null ? 0 : (int) fading.k().size(1),
              fading == null ? 0 : Math.min(g.fading(), LONGEST),
              dense(door, "eidetic q", eidetic == null ? null : eidetic.q()),
              dense(door, "eidetic k", eidetic == null ? null : eidetic.k()),
              dense(door, "eidetic v", eidetic == null ? null : eidetic.v()),
              eidetic == null ? null : door.state("bias", eidetic.bias().to(ScalarType.Float)),
              begin,
              out,
              logSumExp,
              tokens,
              (int) heads,
              (int) window.k().size(2),
              (int) chunks,
              eidetic == null ? 0 : (int) eidetic.k().size(2),
              chunk,
              lead,
              (float) g.scale());
      return new Output(scope.keep(out), scope.keep(logSumExp));
    }
  }

  /** Whether rows hold several documents, as sources are told. */
  static String packed(@Nullable Tensor begin) {
    return "PACKED=" + (begin == null ? 0 : 1);
  }

  private static @Nullable Tensor dense(Door door, String name, @Nullable Tensor t) {
    return t == null ? null : door.activation(name, t);
  }

  /** Two tiles of queries, two stages of keys and values, and their biases. */
  private static int shared(int warps, long dim) {
    long pitch = (dim + 31) / 32 * 32 + 8;
    return (int) (2 * pitch * (2 * 16 * warps + 4 * KEYS) + 4 * 2 * KEYS);
  }
}
