package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.op.Documents;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** One time step after another, all states kept for the backward pass. */
public final class ReferenceSelectiveScan implements SelectiveScan {
  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Steps s = new Steps(in);
      int tokens = (int) in.u().size(1);
      Tensor[] states = new Tensor[tokens]; // each (B, I, N)
      Tensor h = s.initial;
      for (int t = 0; t < tokens; t++) {
        h = s.advance(h, t);
        states[t] = h;
      }
      Tensor all = stack(1, states); // (B, T, I, N)
      Tensor y = s.read(all).mul(torch.silu(s.z));
      return new Output(
          scope.keep(as(y, in.u())),
          scope.keep(h.contiguous()),
          forBackward ? scope.keep(all) : null);
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null)
      throw new IllegalStateException("forward was told no backward follows");
    try (Scope scope = new Scope()) {
      Steps s = new Steps(in);
      int tokens = (int) in.u().size(1);
      Tensor g = accumulated(dy);
      Tensor gate = torch.silu(s.z);
      Tensor sigmoid = s.z.sigmoid();
      Tensor one = torch.ones_like(sigmoid);
      Tensor dGate = g.mul(s.read(checkpoints));
      // silu'(z) = σ(z)·(1 + z·(1 − σ(z)))
      Tensor dz = dGate.mul(sigmoid.mul(one.add(s.z.mul(one.sub(sigmoid)))));
      Tensor dRead = g.mul(gate); // (B, T, I)

      Tensor da = torch.zeros_like(s.a);
      Tensor[] dDelta = new Tensor[tokens], du = new Tensor[tokens], db = new Tensor[tokens];
      Tensor dh = dLast == null ? torch.zeros_like(s.initial) : dLast;
      for (int t = tokens - 1; t >= 0; t--) {
        Tensor delta = s.delta.select(1, t); // (B, I)
        Tensor u = s.u.select(1, t);
        Tensor b = s.b.select(1, t); // (B, N)
        Tensor before = t == 0 ? s.initial : checkpoints.select(1, t - 1); // (B, I, N)
        dh = dh.add(einsum("bi,bn->bin", dRead.select(1, t), s.c.select(1, t)));
        Tensor decay = s.decay(t);
        Tensor dExponent = dh.mul(before).mul(decay); // of Δ·a, (B, I, N)
        da = da.add(einsum("bin,bi->in", dExponent, delta));
        Tensor dInput = einsum("bin,bn->bi", dh, b); // of Δ·u
        dDelta[t] = einsum("bin,in->bi", dExponent, s.a).add(dInput.mul(u));
        du[t] = dInput.mul(delta);
        db[t] = einsum("bin,bi->bn", dh, delta.mul(u));
        dh = dh.mul(decay);
      }
      Tensor dc = einsum("bti,btin->btn", dRead, checkpoints);
      Tensor dU = stack(1, du).add(dRead.mul(s.d));
      Tensor dD = dRead.mul(s.u).sum(0, 1);
      // softplus' = σ
      Tensor dRaw = stack(1, dDelta).mul(s.raw.sigmoid());
      return new Gradients(
          scope.keep(as(dU, in.u())),
          scope.keep(as(dRaw, in.delta())),
          scope.keep(da),
          scope.keep(as(stack(1, db), in.b())),
          scope.keep(as(dc, in.c())),
          scope.keep(dD),
          scope.keep(as(dz, in.z())),
          scope.keep(dRaw.sum(0, 1)),
          scope.keep(dh));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Steps s = new Steps(in);
      state.copy_(s.advance(state, 0));
      Tensor y = s.read(state.unsqueeze(1)).mul(torch.silu(s.z));
      return scope.keep(as(y, in.u()));
    }
  }

  /** The inputs in the accumulation type, and the recurrence in terms of them. */
  private static final class Steps {
    final Tensor u, raw, delta, a, b, c, d, z, initial;
    final @Nullable Tensor firsts; // (B, T) of documents

    Steps(Inputs in) {
      u = accumulated(in.u());
      raw = accumulated(in.delta()).add(in.deltaBias());
      delta = softplus(raw);
      a = in.a();
      b = accumulated(in.b());
      c = accumulated(in.c());
      d = in.d();
      z = accumulated(in.z());
      Tensor before = in.initial();
      initial = before != null ? before : zeros(a, u.size(0), a.size(0), a.size(1));
      firsts = in.begin() == null ? null : Documents.firsts(in.begin());
    }

    Tensor decay(int t) {
      Tensor decay = einsum("bi,in->bin", delta.select(1, t), a).exp();
      if (firsts == null) return decay;
      return decay.masked_fill(firsts.select(1, t).reshape(-1, 1, 1), scalar(0));
    }

    Tensor advance(Tensor h, int t) {
      Tensor input = einsum("bi,bn->bin", delta.select(1, t).mul(u.select(1, t)), b.select(1, t));
      return decay(t).mul(h).add(input);
    }

    /** The states (B, T, I, N) as the gate sees them, (B, T, I). */
    Tensor read(Tensor states) {
      return einsum("btin,btn->bti", states, c).add(u.mul(d));
    }

    /** log(1 + eˣ) without libtorch's cut to x beyond 20, which costs float64 its last digits. */
    private static Tensor softplus(Tensor x) {
      return torch.logaddexp(x, torch.zeros_like(x));
    }
  }
}
