package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Output;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code eidetic_attention.cu}: a block takes a chunk with one head, its keys and values in shared
 * memory and the biased logits in registers.
 */
final class EideticPart {
  private static final int WIDEST = 128;

  private final Geometry geometry;
  private final Door door;
  private final Eidetic like;
  private final Tensor q, k, v, bias;
  private final int warps, heads, groups, chunks, slots;

  /** Of memory with at least one slot. */
  EideticPart(Door door, Geometry geometry, Eidetic in) {
    this.door = door;
    this.geometry = geometry;
    like = in;
    q = door.activation("eidetic q", in.q());
    k = door.activation("eidetic k", in.k());
    v = door.activation("eidetic v", in.v());
    bias = door.state("bias", in.bias().to(ScalarType.Float));
    heads = (int) q.size(2);
    chunks = (int) k.size(1);
    slots = (int) k.size(2);
    groups = (int) k.size(3);
    warps = Math.max(geometry.chunk(), slots) > 64 ? 8 : 4;
  }

  /** Whether heads are narrow enough for the gradients of a set to stay in registers. */
  static boolean serves(Eidetic in) {
    return in.q().size(3) <= WIDEST;
  }

  /** The whole attention, given what the other parts made of it. */
  Output forward(Flash.Part window, Flash.@Nullable Part fading) {
    try (Scope scope = new Scope()) {
      Tensor out = empty(q, Shapes.of(q));
      Tensor logSumExp = Floats.empty(q, q.size(0), q.size(1), heads);
      long tiles = (Math.min(geometry.chunk(), q.size(1)) + rows() - 1) / rows();
      launch(
          "forward",
          new Grid(chunks * tiles, heads, q.size(0), 32 * warps, 3 * tile() + 4 * rows()),
          q,
          k,
          v,
          bias,
          window.out(),
          window.logSumExp(),
          fading == null ? null : fading.out(),
          fading == null ? null : fading.logSumExp(),
          out,
          logSumExp);
      return new Output(scope.keep(out), scope.keep(logSumExp));
    }
  }

  /**
   * Gradients under the joint softmax.
   *
   * @param joint dense
   * @param dOut (B, T, H, D) dense
   */
  Eidetic backward(Output joint, Tensor dOut) {
    try (Scope scope = new Scope()) {
      Tensor dq = empty(q, Shapes.of(q)), dk = empty(k, Shapes.of(k)), dv = empty(v, Shapes.of(v));
      Tensor dBias = empty(bias, Shapes.of(bias));
      Tensor wide = slots > rows() ? Floats.empty(q, Shapes.of(q)) : null;
      int shared = 4 * tile() + 2 * rows() * (rows() + 8) + 8 * rows();
      launch(
          "backward",
          new Grid(chunks, groups, q.size(0), 32 * warps, shared),
          q,
          k,
          v,
          bias,
          joint.out(),
          dOut,
          joint.logSumExp(),
          dq,
          dk,
          dv,
          dBias,
          wide);
      return new Eidetic(
          scope.keep(dq), scope.keep(dk), scope.keep(dv), scope.keep(as(dBias, like.bias())));
    }
  }

  /** Rows of a tile of queries or keys. */
  private int rows() {
    return 16 * warps;
  }

  /** Bytes of one in shared memory. */
  private int tile() {
    int wide = (int) (q.size(3) + 31) / 32 * 32;
    return 2 * rows() * (wide + 8);
  }

  private void launch(String kernel, Grid grid, @Nullable Tensor... tensors) {
    Object[] rest = {
      q.size(1),
      heads,
      groups,
      chunks,
      slots,
      geometry.chunk(),
      (int) (geometry.start() % geometry.chunk()),
      (float) geometry.scale()
    };
    @Nullable Object[] all = new @Nullable Object[tensors.length + rest.length];
    System.arraycopy(tensors, 0, all, 0, tensors.length);
    System.arraycopy(rest, 0, all, tensors.length, rest.length);
    Program.of(door.like(), "eidetic_attention", "HEAD=" + q.size(3), "WARPS=" + warps)
        .kernel(kernel)
        .launch(grid, all);
  }
}
