package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Attention to eidetic memory alone, as batched matrix products in float32: every chunk with every
 * key/value head is a batch entry of C·R queries (R = H/G heads share the keys) against E keys. The
 * bias and its −∞ for empty slots are why flash attention cannot do it.
 *
 * <p>Queries before the first chunk's start and after the last one's end are padded with zeros.
 */
final class EideticPart {
  private final Geometry geometry;
  private final Eidetic in;
  private final long batch, tokens, heads, dim, chunks, slots, groups, shared, lead;
  private final Tensor q, k, v, logits; // (BMG, C·R, D), (BMG, E, D) twice, (BMG, C·R, E)

  EideticPart(Geometry geometry, Eidetic in) {
    this.geometry = geometry;
    this.in = in;
    batch = in.q().size(0);
    tokens = in.q().size(1);
    heads = in.q().size(2);
    dim = in.q().size(3);
    chunks = in.k().size(1);
    slots = in.k().size(2);
    groups = in.k().size(3);
    shared = heads / groups;
    lead = geometry.start() % geometry.chunk();
    q = byChunk(in.q(), dim);
    k = byGroup(in.k());
    v = byGroup(in.v());
    Tensor bias = in.bias().to(ScalarType.Float).reshape(entries(), 1, shared, slots);
    logits =
        q.bmm(k.transpose(1, 2))
            .mul_(scalar(geometry.scale()))
            .view(entries(), geometry.chunk(), shared, slots)
            .add_(bias)
            .view(entries(), geometry.chunk() * shared, slots);
  }

  Flash.Part forward() {
    try (Scope scope = new Scope()) {
      Tensor logSumExp = logits.logsumexp(new long[] {-1}, true); // (BMG, C·R, 1)
      // A query whose slots are all empty: −∞ − −∞ would be NaN.
      Tensor finite = logSumExp.clamp_min(scalar(-1e30));
      Tensor out = logits.sub(finite).exp().bmm(v);
      return new Flash.Part(
          scope.keep(as(byToken(out, dim), in.q()).contiguous()),
          scope.keep(byToken(logSumExp, 1).squeeze(-1).transpose(1, 2).contiguous()));
    }
  }

  /**
   * Gradients under the joint softmax.
   *
   * @param dOut (B, T, H, D)
   * @param along (B, T, H) Σ over D of dOut · out, float32
   * @param logSumExp (B, T, H)
   */
  Eidetic backward(Tensor dOut, Tensor along, Tensor logSumExp) {
    try (Scope scope = new Scope()) {
      Tensor g = byChunk(dOut, dim);
      Tensor weights = logits.sub(byChunk(logSumExp.unsqueeze(-1), 1)).exp_();
      Tensor dv = weights.transpose(1, 2).bmm(g);
      Tensor dLogits = g.bmm(v.transpose(1, 2)).sub_(byChunk(along.unsqueeze(-1), 1)).mul_(weights);
      Tensor dBias = dLogits.view(batch, chunks, groups, geometry.chunk(), shared, slots).sum(3);
      Tensor dk = dLogits.transpose(1, 2).bmm(q).mul_(scalar(geometry.scale()));
      Tensor dq = dLogits.bmm(k).mul_(scalar(geometry.scale()));
      return new Eidetic(
          scope.keep(as(byToken(dq, dim), in.q()).contiguous()),
          scope.keep(as(bySlot(dk), in.k()).contiguous()),
          scope.keep(as(bySlot(dv), in.v()).contiguous()),
          scope.keep(as(dBias.reshape(batch, chunks, heads, slots), in.bias())));
    }
  }

  private long entries() {
    return batch * chunks * groups;
  }

  /** (B, T, H, n) → (BMG, C·R, n), float32, padded with zeros. */
  private Tensor byChunk(Tensor t, long n) {
    long rows = chunks * geometry.chunk();
    Tensor wide = t.to(ScalarType.Float);
    if (rows != tokens) {
      Tensor padded = torch.zeros(new long[] {batch, rows, heads, n}, wide.options());
      padded.narrow(1, lead, tokens).copy_(wide);
      wide = padded;
    }
    return wide.view(batch, chunks, geometry.chunk(), groups, shared, n)
        .permute(0, 1, 3, 2, 4, 5)
        .reshape(entries(), geometry.chunk() * shared, n);
  }

  /** The way back: (BMG, C·R, n) → (B, T, H, n). */
  private Tensor byToken(Tensor t, long n) {
    return t.view(batch, chunks, groups, geometry.chunk(), shared, n)
        .permute(0, 1, 3, 2, 4, 5)
        .reshape(batch, chunks * geometry.chunk(), heads, n)
        .narrow(1, lead, tokens);
  }

  /** (B, M, E, G, D) → (BMG, E, D), float32. */
  private Tensor byGroup(Tensor t) {
    return t.to(ScalarType.Float).permute(0, 1, 3, 2, 4).reshape(entries(), slots, dim);
  }

  /** (BMG, E, D) → (B, M, E, G, D). */
  private Tensor bySlot(Tensor t) {
    return t.view(batch, chunks, groups, slots, dim).permute(0, 1, 3, 2, 4);
  }
}
