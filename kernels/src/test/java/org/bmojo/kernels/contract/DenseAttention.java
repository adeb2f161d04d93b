package org.bmojo.kernels.contract;

import static java.util.Objects.requireNonNull;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Memory attention as one dense softmax over all rows of all parts side by side: the sets are spelt
 * out query by query and row by row, and every token gets a copy of its chunk's eidetic set.
 */
final class DenseAttention {
  private DenseAttention() {}

  /** out (B, T, H, D) and log-sum-exp (B, T, H) of inputs named as in {@link AttentionTensors}. */
  static List<Tensor> forward(Geometry g, @Nullable Tensor begin, Map<String, Tensor> in) {
    Tensor q = requireNonNull(in.get("q"));
    int tokens = (int) q.size(1);
    long heads = q.size(2);
    List<Tensor> logits = new ArrayList<>(), values = new ArrayList<>();
    for (String part : List.of("window", "fading")) {
      if (!in.containsKey(part + " k")) continue;
      Tensor k = repeat(requireNonNull(in.get(part + " k")), 2, heads);
      Tensor hidden = hidden(g, part.equals("fading"), tokens, (int) k.size(1));
      Tensor s = einsum("bthd,bshd->bths", q, k).mul(scalar(g.scale()));
      s = s.masked_fill(hidden.unsqueeze(1), never());
      if (begin != null) {
        Tensor rows = range(k, tokens - k.size(1), tokens); // (S), counted from the first query
        s = s.masked_fill(begin.unsqueeze(-1).gt(rows).unsqueeze(2), never());
      }
      logits.add(s);
      values.add(repeat(requireNonNull(in.get(part + " v")), 2, heads));
    }
    Tensor far = in.get("eidetic q");
    if (far != null) {
      Tensor own = chunkOfToken(g, tokens);
      Tensor k = repeat(requireNonNull(in.get("eidetic k")).index_select(1, own), 3, heads);
      Tensor bias = requireNonNull(in.get("eidetic bias")).index_select(1, own);
      Tensor s = einsum("bthd,btehd->bthe", far, k).mul(scalar(g.scale())).add(bias);
      if (begin != null) {
        Tensor chunkStart = own.add(new Scalar(g.start() / g.chunk()));
        chunkStart = chunkStart.mul(new Scalar((long) g.chunk())).sub(new Scalar(g.start()));
        s = s.masked_fill(begin.gt(chunkStart).unsqueeze(-1).unsqueeze(-1), never());
      }
      logits.add(s);
      values.add(repeat(requireNonNull(in.get("eidetic v")).index_select(1, own), 3, heads));
    }
    Tensor all = cat(-1, logits.toArray(Tensor[]::new)); // (B, T, H, rows of all parts)
    Tensor weights = all.softmax(-1);
    Tensor out = torch.zeros_like(q);
    long from = 0;
    for (Tensor v : values) {
      boolean perToken = v.dim() == 5; // (B, T, E, H, D), else (B, rows, H, D)
      Tensor own = weights.narrow(-1, from, v.size(perToken ? 2 : 1));
      out = out.add(einsum(perToken ? "bths,btshd->bthd" : "bths,bshd->bthd", own, v));
      from += own.size(3);
    }
    return List.of(out, all.logsumexp(-1));
  }

  /** (T, rows), true where the query must not look. */
  private static Tensor hidden(Geometry g, boolean fading, int tokens, int rows) {
    boolean[] hidden = new boolean[tokens * rows];
    for (int t = 0; t < tokens; t++) {
      for (int r = 0; r < rows; r++) {
        long i = g.start() + t, j = g.start() + tokens - rows + r;
        long first = Math.max(0, i - g.window() + 1), last = i;
        if (fading) {
          first = Math.max(0, i - g.window() - g.fading() + 1);
          last = i - g.window();
        }
        hidden[t * rows + r] = j < first || j > last;
      }
    }
    return Tensor.create(hidden, tokens, rows).to(ScalarType.Bool);
  }

  private static Scalar never() {
    return scalar(Double.NEGATIVE_INFINITY);
  }

  private static Tensor chunkOfToken(Geometry g, int tokens) {
    long[] chunk = new long[tokens];
    for (int t = 0; t < tokens; t++) {
      chunk[t] = (g.start() + t) / g.chunk() - g.start() / g.chunk();
    }
    return Tensor.create(chunk, tokens);
  }

  private static Tensor repeat(Tensor t, long axis, long heads) {
    return torch.repeat_interleave(
        t, heads / t.size(axis), new LongOptional(axis), new LongOptional());
  }
}
