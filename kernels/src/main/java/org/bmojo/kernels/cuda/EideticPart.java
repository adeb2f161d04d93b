package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code eidetic_attention.cu}, gradients: a block takes a chunk with one key head, keys and values
 * in shared memory and the biased logits in registers.
 */
final class EideticPart {
  private final Geometry geometry;
  private final Door door;
  private final Eidetic like;
  private final Tensor q, k, v, bias;
  private final @Nullable Tensor begin;
  private final int warps, heads, groups, chunks, slots;

  /** Of memory with at least one slot. */
  EideticPart(Door door, Geometry geometry, Eidetic in, @Nullable Tensor begin) {
    this.door = door;
    this.geometry = geometry;
    like = in;
    this.begin = begin;
    q = door.activation("eidetic q", in.q());
    k = door.activation("eidetic k", in.k());
    v = door.activation("eidetic v", in.v());
    bias = door.state("bias", in.bias().to(ScalarType.Float));
    heads = (int) q.size(2);
    chunks = (int) k.size(1);
    slots = (int) k.size(2);
    groups = (int) k.size(3);
    int most = Math.max(geometry.chunk(), slots) > 64 ? 8 : 4;
    while (most > 1 && shared(most) > Device.of(q).shared()) most /= 2;
    warps = most;
  }

  /**
   * Gradients under the joint softmax.
   *
   * @param dOut (B, T, H, D) dense
   * @param logSumExp (B, T, H) of all logits
   * @param along (B, T, H) Σ over D of dOut · out, float32
   */
  Eidetic backward(Tensor dOut, Tensor logSumExp, Tensor along) {
    try (Scope scope = new Scope()) {
      Tensor dq = empty(q, Shapes.of(q)), dk = empty(k, Shapes.of(k)), dv = empty(v, Shapes.of(v));
      Tensor dBias = empty(bias, Shapes.of(bias));
      Tensor wide = slots > rows() ? Floats.empty(q, Shapes.of(q)) : null;
      String head = "HEAD=" + q.size(3), packed = JointForward.packed(begin);
      Program.of(door.like(), "eidetic_attention", head, "WARPS=" + warps, packed)
          .kernel("attention_backward_sets")
          .launch(
              new Grid(chunks, groups, q.size(0), 32 * warps, shared(warps)),
              q,
              k,
              v,
              bias,
              dOut,
              logSumExp,
              along,
              begin,
              dq,
              dk,
              dv,
              dBias,
              wide,
              q.size(1),
              heads,
              groups,
              chunks,
              slots,
              geometry.chunk(),
              (int) (geometry.start() % geometry.chunk()),
              (float) geometry.scale());
      return new Eidetic(
          scope.keep(dq), scope.keep(dk), scope.keep(dv), scope.keep(as(dBias, like.bias())));
    }
  }

  /** Rows of a tile of queries or keys. */
  private int rows() {
    return 16 * warps;
  }

  /** Bytes for keys, values, queries and slopes, the logits' gradient, and two floats a query. */
  private int shared(int warps) {
    int rows = 16 * warps, wide = (int) (q.size(3) + 31) / 32 * 32;
    return 4 * 2 * rows * (wide + 8) + 2 * rows * (rows + 8) + 2 * 4 * rows;
  }
}
