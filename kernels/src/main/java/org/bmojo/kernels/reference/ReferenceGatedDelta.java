package org.bmojo.kernels.reference;

import static org.bmojo.kernels.reference.Chunk.byHead;
import static org.bmojo.kernels.reference.Chunk.decays;
import static org.bmojo.kernels.reference.Chunk.dot;
import static org.bmojo.kernels.reference.Chunk.earlier;
import static org.bmojo.kernels.reference.Chunk.slice;
import static org.bmojo.kernels.reference.Chunk.t;
import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Chunk by chunk: a triangular system gives what each token writes (it depends on what the tokens
 * before it wrote), and the rest is {@link ReferenceSsd}'s chunk with that in place of the values.
 */
public final class ReferenceGatedDelta implements GatedDelta {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Heads h = new Heads(in);
      Tensor s = initial(in);
      int chunks = Chunk.count(h.q);
      Tensor[] y = new Tensor[chunks], before = new Tensor[chunks];
      for (int c = 0; c < chunks; c++) {
        before[c] = s;
        ReferenceSsd.Part part = h.written(c, s).part;
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
      Heads h = new Heads(in);
      Tensor dOut = byHead(dy);
      int chunks = Chunk.count(h.q);
      Tensor[] dq = new Tensor[chunks], dk = dq.clone(), dv = dq.clone();
      Tensor[] dBeta = dq.clone(), dg = dq.clone();
      Tensor ds = dLast == null ? torch.zeros_like(checkpoints.select(0, 0)) : Chunk.wide(dLast);
      for (int c = chunks - 1; c >= 0; c--) {
        Written w = h.written(c, checkpoints.select(0, c));
        ReferenceSsd.PartGradients read = w.part.gradients(slice(dOut, c), ds);
        dq[c] = read.q();
        Tensor k = w.part.k(), before = w.part.before(), fromStart = w.part.chunk().fromStart();
        // u solves (I + A) u = β ⊙ w, so its gradient solves the transposed system.
        Tensor dRight = torch.linalg_solve_triangular(t(w.a), read.v(), true, true, true);
        Tensor da = earlier(dRight.matmul(t(w.part.v()))).neg();
        Tensor pairs = da.mul(w.beta).mul(w.part.chunk().within());
        Tensor dRecalled = dRight.mul(w.beta).mul(fromStart).neg(); // of k · before
        dk[c] =
            read.k().add(pairs.matmul(k)).add(t(pairs).matmul(k)).add(dRecalled.matmul(t(before)));
        dv[c] = dRight.mul(w.beta);
        dBeta[c] = dot(dRight, w.missing).add(dot(da, w.overlap));
        Tensor decays = da.mul(w.a);
        Tensor dSum =
            read.sum()
                .add(decays.sum(-1))
                .sub(decays.sum(-2))
                .add(dot(dRecalled, k.matmul(before)));
        dg[c] = w.part.chunk().sumToEnd(dSum);
        ds = read.before().add(t(k).matmul(dRecalled));
      }
      return new Gradients(
          scope.keep(as(cat(2, dq).transpose(1, 2), in.q())),
          scope.keep(as(cat(2, dk).transpose(1, 2), in.k())),
          scope.keep(as(cat(2, dv).transpose(1, 2), in.v())),
          scope.keep(as(cat(2, dBeta).transpose(1, 2), in.beta())),
          scope.keep(as(Chunk.ofDecays(cat(2, dg), in.begin()), in.g())),
          scope.keep(Chunk.kept(ds, in.g())));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Tensor q = accumulated(in.q()).select(1, 0), k = accumulated(in.k()).select(1, 0);
      Tensor v = accumulated(in.v()).select(1, 0), beta = accumulated(in.beta()).select(1, 0);
      Tensor g = accumulated(in.g()).select(1, 0);
      state.mul_(g.exp().unsqueeze(-1).unsqueeze(-1));
      Tensor recalled = k.unsqueeze(-2).matmul(state).squeeze(-2); // (B, H, P)
      Tensor u = v.sub(recalled).mul(beta.unsqueeze(-1));
      state.add_(k.unsqueeze(-1).mul(u.unsqueeze(-2)));
      Tensor y = q.unsqueeze(-2).matmul(state).squeeze(-2);
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
   * What the tokens of a chunk write.
   *
   * @param part queries, keys and, as values, what is written
   * @param a (B, H, C, C) strictly lower: how much of an earlier token's writing this one takes
   *     back
   * @param overlap a without β
   * @param missing (B, H, C, P) values minus what the state before the chunk says of their keys
   * @param beta (B, H, C, 1)
   */
  private record Written(
      ReferenceSsd.Part part, Tensor a, Tensor overlap, Tensor missing, Tensor beta) {}

  /** The inputs by head, in the accumulation type. */
  private static final class Heads {
    final Tensor q, k, v, beta, g;
    final boolean packed;

    Heads(Inputs in) {
      q = byHead(in.q());
      k = byHead(in.k());
      v = byHead(in.v());
      beta = byHead(in.beta());
      g = decays(in.g(), in.begin());
      packed = in.begin() != null;
    }

    Written written(int c, Tensor before) {
      Chunk chunk = Chunk.of(slice(g, c), packed);
      Tensor key = slice(k, c), rate = slice(beta, c).unsqueeze(-1);
      Tensor overlap = earlier(key.matmul(t(key)).mul(chunk.within()));
      Tensor a = overlap.mul(rate);
      Tensor missing = slice(v, c).sub(key.matmul(before).mul(chunk.fromStart()));
      // Unitriangular: the ones of I + A are understood.
      Tensor u = torch.linalg_solve_triangular(a, missing.mul(rate), false, true, true);
      ReferenceSsd.Part part = new ReferenceSsd.Part(chunk, slice(q, c), key, u, before);
      return new Written(part, a, overlap, missing, rate);
    }
  }
}
