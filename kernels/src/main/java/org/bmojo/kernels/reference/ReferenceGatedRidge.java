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
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.function.UnaryOperator;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Chunk by chunk. A token's own matrix is never formed: its product with a vector is the state's
 * before the chunk plus a sum over the chunk's keys, and its norm follows from those.
 */
public final class ReferenceGatedRidge implements GatedRidge {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Tensor q = byHead(in.q()), k = byHead(in.k()), g = decays(in.g(), in.begin());
      Tensor m = initial(in);
      int chunks = Chunk.count(q);
      Tensor[] z = new Tensor[chunks], before = new Tensor[chunks];
      for (int c = 0; c < chunks; c++) {
        before[c] = m;
        Part part = new Part(Chunk.of(slice(g, c), in.begin() != null), slice(k, c), m);
        z[c] = solve(in.solver(), part::times, part.norm(), slice(q, c));
        m = part.after();
      }
      return new Output(
          scope.keep(as(cat(2, z).transpose(1, 2), in.q()).contiguous()),
          scope.keep(Chunk.kept(m, in.g())),
          forBackward ? scope.keep(stack(0, before)) : null);
    }
  }

  @Override
  public Gradients backward(Inputs in, Output out, Tensor dz, @Nullable Tensor dLast) {
    Tensor checkpoints = out.checkpoints();
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      Tensor k = byHead(in.k()), g = decays(in.g(), in.begin());
      Tensor z = byHead(out.z()), dOut = byHead(dz);
      int chunks = Chunk.count(k);
      Tensor[] dq = new Tensor[chunks], dk = dq.clone(), dg = dq.clone();
      Tensor dm = dLast == null ? torch.zeros_like(checkpoints.select(0, 0)) : Chunk.wide(dLast);
      for (int c = chunks - 1; c >= 0; c--) {
        Part part =
            new Part(
                Chunk.of(slice(g, c), in.begin() != null), slice(k, c), checkpoints.select(0, c));
        Tensor norm = part.norm();
        dq[c] = solve(in.solver(), part::times, norm, slice(dOut, c));
        Tensor own = slice(z, c);
        Tensor lambda =
            in.solver().throughLambda()
                ? dot(dq[c], own).unsqueeze(-1).mul(scalar(in.solver().ridge())).div(norm)
                : torch.zeros_like(norm);
        PartGradients d = part.gradients(own, dq[c], lambda, dm);
        dk[c] = d.k;
        dg[c] = part.chunk.sumToEnd(d.sum);
        dm = d.before;
      }
      return new Gradients(
          scope.keep(as(cat(2, dq).transpose(1, 2), in.q())),
          scope.keep(as(cat(2, dk).transpose(1, 2), in.k())),
          scope.keep(as(Chunk.ofDecays(cat(2, dg), in.begin()), in.g())),
          scope.keep(Chunk.kept(dm, in.g())));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Tensor k = accumulated(in.k()).select(1, 0), g = accumulated(in.g()).select(1, 0);
      Tensor decay = g.exp().unsqueeze(-1).unsqueeze(-1);
      state.mul_(decay).add_(k.unsqueeze(-1).mul(k.unsqueeze(-2)));
      Tensor norm = state.square().sum(-1, -2).sqrt().unsqueeze(-1).unsqueeze(-1); // (B, H, 1, 1)
      Tensor q = accumulated(in.q()).transpose(1, 2); // (B, H, 1, D)
      Tensor z = solve(in.solver(), x -> x.matmul(state), norm, q);
      return scope.keep(as(z.transpose(1, 2), in.q()).contiguous());
    }
  }

  /**
   * Chebyshev iterations for (M + λI) z = b (Golub and Varga 1961), whose eigenvalues lie in [λ, λ
   * + ‖M‖]. The interval's ends are in a fixed proportion, so the weights are the same everywhere.
   *
   * @param times M · x
   * @param norm ‖M‖, (B, H, C, 1)
   * @param b (B, H, C, D)
   */
  private static Tensor solve(Solver solver, UnaryOperator<Tensor> times, Tensor norm, Tensor b) {
    double ridge = solver.ridge();
    double rate = 1 / (2 * ridge + 1) / 2;
    Tensor step = norm.reciprocal().mul(scalar(2 / (2 * ridge + 1)));
    Tensor lambda = norm.mul(scalar(ridge));
    double weight = 2;
    Tensor previous = torch.zeros_like(b), z = b.mul(step);
    for (int i = 0; i < solver.iterations(); i++) {
      try (Scope scope = new Scope()) {
        weight = 1 / (1 - rate * rate * weight);
        Tensor residual = times.apply(z).add(z.mul(lambda)).sub(b);
        Tensor next =
            z.mul(scalar(weight))
                .sub(residual.mul(step).mul(scalar(weight)))
                .sub(previous.mul(scalar(weight - 1)));
        previous = z;
        z = scope.keep(next);
      }
    }
    return z;
  }

  private static Tensor initial(Inputs in) {
    Tensor given = in.initial();
    if (given != null) return Chunk.wide(given);
    long dim = in.q().size(3);
    return zeros(in.q(), ScalarType.Double, in.q().size(0), in.q().size(2), dim, dim);
  }

  /**
   * The matrices M_t of one chunk, t = 1 … C, by what they do.
   *
   * @param k (B, H, C, D)
   * @param before (B, H, D, D) M before the chunk, symmetric
   */
  private record Part(Chunk chunk, Tensor k, Tensor before) {
    /** M_t x_t for every token, (B, H, C, D). */
    Tensor times(Tensor x) {
      Tensor old = x.matmul(before).mul(chunk.fromStart());
      return old.add(x.matmul(t(k)).mul(chunk.within()).matmul(k));
    }

    /** ‖M_t‖, (B, H, C, 1), from the growth of its square: all terms are positive. */
    Tensor norm() {
      Tensor overlap = k.matmul(t(k));
      Tensor decayed = // kᵀ · (decayed matrix of the token before) · k
          dot(k.matmul(before), k)
              .unsqueeze(-1)
              .mul(chunk.fromStart())
              .add(earlier(chunk.within().mul(overlap.square())).sum(-1).unsqueeze(-1));
      Tensor growth = decayed.mul(scalar(2)).add(dot(k, k).square().unsqueeze(-1));
      Tensor old = before.square().sum(-1, -2).unsqueeze(-1).unsqueeze(-1);
      Tensor square =
          old.mul(chunk.fromStart().square()).add(chunk.within().square().matmul(growth));
      return square.sqrt();
    }

    Tensor after() {
      return before.mul(chunk.whole()).add(t(k.mul(chunk.toEnd())).matmul(k));
    }

    /**
     * Backward of the matrices, whose gradients are −dq_t z_tᵀ − lambda_t M_t.
     *
     * @param z (B, H, C, D)
     * @param dq (B, H, C, D)
     * @param lambda (B, H, C, 1)
     * @param dAfter (B, H, D, D)
     */
    PartGradients gradients(Tensor z, Tensor dq, Tensor lambda, Tensor dAfter) {
      Tensor within = chunk.within(), fromStart = chunk.fromStart(), toEnd = chunk.toEnd();
      // The rank-one part, both ways round since k k^T is symmetric.
      Tensor dk =
          t(dq.matmul(t(k)).mul(within)).matmul(z).add(t(z.matmul(t(k)).mul(within)).matmul(dq));
      // The part along M_t, itself made of the state before and of pairs of keys.
      Tensor pairs = t(within).matmul(within.mul(lambda));
      Tensor along = t(within).matmul(lambda.mul(fromStart)); // (B, H, C, 1)
      Tensor spread = pairs.mul(k.matmul(t(k))).matmul(k).add(k.matmul(before).mul(along));
      Tensor both = dAfter.add(t(dAfter));
      dk = dk.add(spread.mul(scalar(2))).neg().add(k.matmul(both).mul(toEnd));

      Tensor pull = dot(dq, times(z)).unsqueeze(-1).add(lambda.mul(norm().square())).neg();
      Tensor dSum = pull.squeeze(-1).sub(dot(k, dk).mul(scalar(0.5)));
      Tensor end = after().mul(dAfter).sum(-1, -2).unsqueeze(-1);
      dSum.narrow(-1, dSum.size(-1) - 1, 1).add_(end);

      Tensor old =
          before.mul(lambda.mul(fromStart.square()).sum(-2, -1).unsqueeze(-1).unsqueeze(-1));
      Tensor dBefore =
          dAfter
              .mul(chunk.whole())
              .sub(t(dq.mul(fromStart)).matmul(z))
              .sub(old)
              .sub(t(k.mul(along)).matmul(k));
      return new PartGradients(dk, dSum, dBefore);
    }
  }

  /**
   * Gradients of a chunk.
   *
   * @param sum (B, H, C) of the running sums of g
   * @param before (B, H, D, D)
   */
  private record PartGradients(Tensor k, Tensor sum, Tensor before) {}
}
