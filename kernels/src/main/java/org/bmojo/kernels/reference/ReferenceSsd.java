package org.bmojo.kernels.reference;

import static org.bmojo.kernels.reference.Chunk.byHead;
import static org.bmojo.kernels.reference.Chunk.decays;
import static org.bmojo.kernels.reference.Chunk.dot;
import static org.bmojo.kernels.reference.Chunk.slice;
import static org.bmojo.kernels.reference.Chunk.t;
import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Chunk by chunk: matrix products inside a chunk, one state between chunks. */
public final class ReferenceSsd implements Ssd {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Tensor q = byHead(in.q()),
          k = byHead(in.k()),
          v = byHead(in.v()),
          g = decays(in.g(), in.begin());
      Tensor s = initial(in);
      int chunks = Chunk.count(q);
      Tensor[] y = new Tensor[chunks], before = new Tensor[chunks];
      for (int c = 0; c < chunks; c++) {
        before[c] = s;
        Chunk chunk = Chunk.of(slice(g, c), in.begin() != null);
        Part part = new Part(chunk, slice(q, c), slice(k, c), slice(v, c), s);
        y[c] = part.read();
        s = part.after();
      }
      return new Output(
          scope.keep(as(cat(2, y).transpose(1, 2), in.v()).contiguous()),
          scope.keep(Chunk.kept(s, in.g())),
          forBackward ? scope.keep(stack(0, before)) : null);
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      Tensor q = byHead(in.q()),
          k = byHead(in.k()),
          v = byHead(in.v()),
          g = decays(in.g(), in.begin());
      Tensor dOut = byHead(dy);
      int chunks = Chunk.count(q);
      Tensor[] dq = new Tensor[chunks], dk = dq.clone(), dv = dq.clone(), dg = dq.clone();
      Tensor ds = dLast == null ? torch.zeros_like(checkpoints.select(0, 0)) : Chunk.wide(dLast);
      for (int c = chunks - 1; c >= 0; c--) {
        Chunk chunk = Chunk.of(slice(g, c), in.begin() != null);
        Tensor s = checkpoints.select(0, c);
        Part part = new Part(chunk, slice(q, c), slice(k, c), slice(v, c), s);
        PartGradients d = part.gradients(slice(dOut, c), ds);
        dq[c] = d.q;
        dk[c] = d.k;
        dv[c] = d.v;
        dg[c] = chunk.sumToEnd(d.sum);
        ds = d.before;
      }
      return new Gradients(
          scope.keep(as(cat(2, dq).transpose(1, 2), in.q())),
          scope.keep(as(cat(2, dk).transpose(1, 2), in.k())),
          scope.keep(as(cat(2, dv).transpose(1, 2), in.v())),
          scope.keep(as(Chunk.ofDecays(cat(2, dg), in.begin()), in.g())),
          scope.keep(Chunk.kept(ds, in.g())));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Tensor q = accumulated(in.q()).select(1, 0), k = accumulated(in.k()).select(1, 0);
      Tensor v = accumulated(in.v()).select(1, 0), g = accumulated(in.g()).select(1, 0);
      Tensor decay = g.exp().unsqueeze(-1).unsqueeze(-1);
      state.mul_(decay).add_(k.unsqueeze(-1).mul(v.unsqueeze(-2)));
      Tensor y = q.unsqueeze(-2).matmul(state).squeeze(-2); // (B, H, P)
      return scope.keep(as(y, in.v()).unsqueeze(1));
    }
  }

  private static Tensor initial(Inputs in) {
    Tensor given = in.initial();
    if (given != null) return Chunk.wide(given);
    return zeros(
        in.q(), ScalarType.Double, in.q().size(0), in.q().size(2), in.q().size(3), in.v().size(3));
  }

  /**
   * One chunk: what its tokens read and what they leave behind.
   *
   * @param q (B, H, C, N)
   * @param k (B, H, C, N)
   * @param v (B, H, C, P)
   * @param before (B, H, N, P)
   */
  record Part(Chunk chunk, Tensor q, Tensor k, Tensor v, Tensor before) {
    /** (B, H, C, P): from the chunk's own tokens and from the state before it. */
    Tensor read() {
      return weights().matmul(v).add(q.matmul(before).mul(chunk.fromStart()));
    }

    /** The state after the chunk, (B, H, N, P). */
    Tensor after() {
      return before.mul(chunk.whole()).add(t(k.mul(chunk.toEnd())).matmul(v));
    }

    private Tensor weights() {
      return q.matmul(t(k)).mul(chunk.within());
    }

    /**
     * Backward.
     *
     * @param dy (B, H, C, P)
     * @param dAfter (B, H, N, P)
     */
    PartGradients gradients(Tensor dy, Tensor dAfter) {
      Tensor dWeights = dy.matmul(t(v)).mul(chunk.within());
      Tensor dq = dWeights.matmul(k).add(dy.matmul(t(before)).mul(chunk.fromStart()));
      Tensor dk = t(dWeights).matmul(q).add(v.matmul(t(dAfter)).mul(chunk.toEnd()));
      Tensor dv = t(weights()).matmul(dy).add(k.matmul(dAfter).mul(chunk.toEnd()));
      // Whatever a query reads carries the exponential of its running sum of g, whatever a key
      // writes that of minus its own.
      Tensor dSum = dot(q, dq).sub(dot(k, dk)); // (B, H, C)
      Tensor end = after().mul(dAfter).sum(-1, -2).unsqueeze(-1);
      dSum.narrow(-1, dSum.size(-1) - 1, 1).add_(end);
      Tensor dBefore = dAfter.mul(chunk.whole()).add(t(q.mul(chunk.fromStart())).matmul(dy));
      return new PartGradients(dq, dk, dv, dSum, dBefore);
    }
  }

  /**
   * Gradients of a chunk.
   *
   * @param sum (B, H, C) of the running sums of g
   * @param before (B, H, N, P)
   */
  record PartGradients(Tensor q, Tensor k, Tensor v, Tensor sum, Tensor before) {}
}
