package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Dense logits of every part (window, fading, one eidetic set per chunk), merged by their
 * log-sum-exp into one softmax.
 */
public final class ReferenceMemoryAttention implements MemoryAttention {
  /**
   * Some queries against some keys.
   *
   * @param from first query row of the call
   * @param q (B, n, H, D)
   * @param k (B, S, H, D), heads repeated
   * @param v (B, S, H, D)
   * @param bias added to the logits, broadcasts to (B, H, n, S); −∞ hides
   */
  private record Part(long from, Tensor q, Tensor k, Tensor v, Tensor bias, double scale) {
    Tensor logits() {
      return einsum("bnhd,bshd->bhns", q, k).mul(scalar(scale)).add(bias);
    }

    /** The rows of a (B, T, …) tensor that belong to this part's queries. */
    Tensor rows(Tensor t) {
      return t.narrow(1, from, q.size(1));
    }

    /** softmax weights (B, H, n, S) under the joint log-sum-exp (B, T, H). */
    Tensor weights(Tensor logSumExp) {
      return logits().sub(rows(logSumExp).transpose(1, 2).unsqueeze(-1)).exp();
    }
  }

  @Override
  public Output forward(Inputs in) {
    try (Scope scope = new Scope()) {
      Tensor q = accumulated(in.q());
      Tensor logSumExp =
          torch.full(
              new long[] {q.size(0), q.size(1), q.size(2)},
              scalar(Double.NEGATIVE_INFINITY),
              q.options());
      List<Part> parts = parts(in);
      for (Part part : parts) {
        Tensor rows = part.rows(logSumExp);
        rows.copy_(torch.logaddexp(rows, part.logits().logsumexp(-1).transpose(1, 2)));
      }
      Tensor out = torch.zeros_like(q);
      for (Part part : parts) {
        part.rows(out).add_(einsum("bhns,bshd->bnhd", part.weights(logSumExp), part.v()));
      }
      return new Output(scope.keep(as(out, in.q())), scope.keep(logSumExp));
    }
  }

  @Override
  public Gradients backward(Inputs in, Output forward, Tensor dOut) {
    Shapes.expect("memory attention backward", "dOut", dOut, Shapes.of(in.q()));
    try (Scope scope = new Scope()) {
      Tensor g = accumulated(dOut);
      Tensor along = g.mul(accumulated(forward.out())).sum(-1); // (B, T, H)
      List<Part> parts = parts(in);
      PartGradients window = gradients(parts.getFirst(), forward.logSumExp(), g, along);
      Tensor dq = window.q;
      int next = 1;
      Stream fading = null;
      if (in.fading() != null) {
        PartGradients part = gradients(parts.get(next++), forward.logSumExp(), g, along);
        dq = dq.add(part.q);
        fading = part.stream(in.fading(), scope);
      }
      Eidetic eidetic = null;
      if (in.eidetic() != null) {
        int chunks = parts.size() - next;
        Tensor[] eq = new Tensor[chunks], ek = eq.clone(), ev = eq.clone(), eb = eq.clone();
        for (int m = 0; m < chunks; m++) {
          PartGradients part = gradients(parts.get(next + m), forward.logSumExp(), g, along);
          eq[m] = part.q;
          ek[m] = ungroup(part.k, in.eidetic().k().size(3));
          ev[m] = ungroup(part.v, in.eidetic().v().size(3));
          eb[m] = part.logits.sum(2); // (B, H, E)
        }
        eidetic =
            new Eidetic(
                scope.keep(as(torch.cat(vector(eq), 1), in.q())),
                scope.keep(as(stack(1, ek), in.q())),
                scope.keep(as(stack(1, ev), in.q())),
                scope.keep(as(stack(1, eb), in.eidetic().bias())));
      }
      return new Gradients(
          scope.keep(as(dq, in.q())), window.stream(in.window(), scope), fading, eidetic);
    }
  }

  @Override
  public Tensor step(StepInputs in) {
    try (Scope scope = new Scope()) {
      int batch = in.positions().length;
      Tensor[] out = new Tensor[batch];
      for (int b = 0; b < batch; b++) {
        out[b] = forward(one(in, b)).out().squeeze(1); // (1, H, D)
      }
      return scope.keep(torch.cat(vector(out), 0));
    }
  }

  /** Sequence b of a step as a call of one token. */
  private static Inputs one(StepInputs in, int b) {
    Geometry g = in.geometry();
    long position = in.positions()[b];
    long reach = g.window() == UNBOUNDED ? position : (long) g.window() + g.fading() - 1;
    long oldest = Math.max(0, position - reach);
    Eidetic eidetic = in.eidetic();
    Eidetic ownEidetic =
        eidetic == null
            ? null
            : new Eidetic(
                eidetic.q().narrow(0, b, 1).unsqueeze(1),
                eidetic.k().narrow(0, b, 1).unsqueeze(1),
                eidetic.v().narrow(0, b, 1).unsqueeze(1),
                eidetic.bias().narrow(0, b, 1).unsqueeze(1));
    long newestWindow = g.window() == UNBOUNDED ? 0 : Math.max(0, position - g.window() + 1);
    return new Inputs(
        new Geometry(position, g.window(), g.fading(), g.chunk(), g.scale()),
        in.q().narrow(0, b, 1).unsqueeze(1),
        unring(in.window(), b, newestWindow, position),
        in.fading() == null ? null : unring(in.fading(), b, oldest, position),
        ownEidetic);
  }

  /** The rows of positions from … to of sequence b, in order. */
  private static Stream unring(Stream ring, int b, long from, long to) {
    Tensor rows = range(ring.k(), from, to + 1).remainder(new Scalar(ring.k().size(1)));
    return new Stream(
        ring.k().narrow(0, b, 1).index_select(1, rows),
        ring.v().narrow(0, b, 1).index_select(1, rows));
  }

  /** Window first, then fading if there is one, then the eidetic sets chunk by chunk. */
  private static List<Part> parts(Inputs in) {
    Geometry g = in.geometry();
    Tensor q = accumulated(in.q());
    long heads = q.size(2), tokens = q.size(1);
    List<Part> parts = new ArrayList<>();
    Tensor i = range(q, g.start(), g.start() + tokens).unsqueeze(1); // (T, 1)
    Tensor age =
        i.sub(positions(in.window(), g.start(), tokens)); // (T, P+T): 0 is the query itself
    Tensor visible = age.ge(new Scalar(0L)).logical_and(age.lt(new Scalar((long) g.window())));
    parts.add(part(0, q, in.window(), heads, hide(in, in.window(), visible, q), g.scale()));
    Stream fading = in.fading();
    if (fading != null) {
      Tensor old = i.sub(positions(fading, g.start(), tokens));
      long reach = (long) g.window() + g.fading();
      Tensor seen = old.ge(new Scalar((long) g.window())).logical_and(old.lt(new Scalar(reach)));
      parts.add(part(0, q, fading, heads, hide(in, fading, seen, q), g.scale()));
    }
    Eidetic eidetic = in.eidetic();
    if (eidetic != null) {
      Tensor far = accumulated(eidetic.q());
      Tensor bias = accumulated(eidetic.bias()); // (B, M, H, E)
      for (int m = 0; m < eidetic.k().size(1); m++) {
        long from = Math.max(0, (g.start() / g.chunk() + m) * g.chunk() - g.start());
        long to = Math.min(tokens, (g.start() / g.chunk() + m + 1) * g.chunk() - g.start());
        Stream own = new Stream(eidetic.k().select(1, m), eidetic.v().select(1, m));
        Tensor rows = far.narrow(1, from, to - from);
        Tensor added = bias.select(1, m).unsqueeze(2); // (B, H, 1, E)
        if (in.begin() != null) {
          long chunkStart = (g.start() / g.chunk() + m) * g.chunk() - g.start();
          Tensor later = in.begin().narrow(1, from, to - from).gt(new Scalar(chunkStart));
          added = added.add(hide(later.logical_not(), q).unsqueeze(1).unsqueeze(-1));
        }
        parts.add(part(from, rows, own, heads, added, g.scale()));
      }
    }
    return parts;
  }

  private static Part part(
      long from, Tensor q, Stream stream, long heads, Tensor bias, double scale) {
    return new Part(from, q, group(stream.k(), heads), group(stream.v(), heads), bias, scale);
  }

  /** Absolute positions of a stream's rows, (P+T). */
  private static Tensor positions(Stream stream, long start, long tokens) {
    return range(stream.k(), start + tokens - stream.k().size(1), start + tokens);
  }

  /** For rows of a stream that queries (T, P+T) see by their age: (1 or B, 1, T, P+T). */
  private static Tensor hide(Inputs in, Stream stream, Tensor visible, Tensor like) {
    Tensor seen = visible.unsqueeze(0);
    if (in.begin() != null) {
      long tokens = in.q().size(1);
      Tensor rows = positions(stream, 0, tokens); // counted from the first query
      seen = seen.logical_and(rows.ge(in.begin().unsqueeze(-1)));
    }
    return hide(seen, like).unsqueeze(1);
  }

  private static Tensor hide(Tensor visible, Tensor like) {
    return zeros(like, Shapes.of(visible))
        .masked_fill(visible.logical_not(), scalar(Double.NEGATIVE_INFINITY));
  }

  /** (B, S, G, D) → (B, S, H, D): head h reads h / (H/G). */
  private static Tensor group(Tensor t, long heads) {
    Tensor wide = t.to(accumulation(t));
    return wide.repeat_interleave(heads / t.size(2), new LongOptional(2), new LongOptional());
  }

  /** The sum over the heads that share a key/value head: (B, S, H, D) → (B, S, G, D). */
  private static Tensor ungroup(Tensor t, long groups) {
    return t.reshape(t.size(0), t.size(1), groups, t.size(2) / groups, t.size(3)).sum(3);
  }

  private record PartGradients(Tensor q, Tensor k, Tensor v, Tensor logits) {
    Stream stream(Stream like, Scope scope) {
      long groups = like.k().size(2);
      return new Stream(
          scope.keep(as(ungroup(k, groups), like.k())),
          scope.keep(as(ungroup(v, groups), like.v())));
    }
  }

  private static PartGradients gradients(Part part, Tensor logSumExp, Tensor dOut, Tensor along) {
    Tensor weights = part.weights(logSumExp); // (B, H, n, S)
    Tensor g = part.rows(dOut);
    Tensor dWeights = einsum("bnhd,bshd->bhns", g, part.v());
    Tensor dLogits = weights.mul(dWeights.sub(part.rows(along).transpose(1, 2).unsqueeze(-1)));
    Tensor scaled = dLogits.mul(scalar(part.scale()));
    return new PartGradients(
        einsum("bhns,bshd->bnhd", scaled, part.k()),
        einsum("bhns,bnhd->bshd", scaled, part.q()),
        einsum("bhns,bnhd->bshd", weights, g),
        dLogits);
  }

  private static TensorVector vector(Tensor[] tensors) {
    return new TensorVector(tensors);
  }
}
