package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Gradients of eidetic sets. Every set has one task that adds to it. */
final class SetGradient {
  /** Sums so far, float32, shaped as the inputs. */
  final Eidetic sums;

  private final Floats q, k, v, bias;

  SetGradient(Eidetic like) {
    sums = new Eidetic(like(like.q()), like(like.k()), like(like.v()), like(like.bias()));
    q = Floats.of(sums.q());
    k = Floats.of(sums.k());
    v = Floats.of(sums.v());
    bias = Floats.of(sums.bias());
  }

  private static Tensor like(Tensor t) {
    return zeros(t, ScalarType.Float, Shapes.of(t));
  }

  /** A query head's rows of the gradient of the far queries. */
  HeadRows queries(int b, int head) {
    return HeadRows.of(q, sums.q(), b, head);
  }

  /** Adds a block's gradients, which begins at slot {@code slot} of set {@code set}. */
  void add(int b, int set, int group, int slot, KeyBlock block) {
    Tensor like = sums.k(); // (B, M, E, G, D)
    long outer = b * like.size(1) + set;
    HeadRows.of(k, like, outer, group).add(slot, block.count, block.dk, block.stride);
    HeadRows.of(v, like, outer, group).add(slot, block.count, block.dv, block.stride);
    long heads = sums.q().size(2), shared = heads / like.size(3), slots = like.size(2);
    for (int h = 0; h < shared; h++) {
      long at = (outer * heads + group * shared + h) * slots + slot;
      for (int e = 0; e < block.count; e++) {
        bias.set(at + e, bias.get(at + e) + block.dBias[h * KeyBlock.KEYS + e]);
      }
    }
  }
}
