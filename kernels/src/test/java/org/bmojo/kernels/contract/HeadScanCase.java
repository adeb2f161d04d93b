package org.bmojo.kernels.contract;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.kernels.op.Documents;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Sizes of a recurrence with a matrix per head for a state, and whether a state comes in and a
 * gradient comes back from the final one.
 *
 * @param states N, rows of the state
 * @param values P, its columns
 * @param carried a state in and a gradient back, or neither
 * @param packed whether rows hold several documents
 */
record HeadScanCase(
    ScalarType type,
    long batch,
    long tokens,
    long heads,
    long states,
    long values,
    boolean carried,
    boolean packed) {
  HeadScanCase(
      ScalarType type,
      long batch,
      long tokens,
      long heads,
      long states,
      long values,
      boolean carried) {
    this(type, batch, tokens, heads, states, values, carried, false);
  }

  /** Around a chunk of 64, at it, and far from it. */
  static Stream<HeadScanCase> all(ScalarType type) {
    return Stream.of(
        new HeadScanCase(type, 1, 1, 1, 1, 1, false),
        new HeadScanCase(type, 2, 13, 3, 5, 4, true),
        new HeadScanCase(type, 1, 63, 2, 8, 8, false),
        new HeadScanCase(type, 2, 64, 1, 4, 6, true),
        new HeadScanCase(type, 1, 65, 2, 7, 3, true),
        new HeadScanCase(type, 1, 207, 2, 6, 5, true),
        new HeadScanCase(type, 4, 13, 3, 5, 4, true, true),
        new HeadScanCase(type, 4, 67, 1, 4, 6, false, true),
        new HeadScanCase(type, 2, 130, 2, 7, 3, true, true));
  }

  /** Of the lengths that matrix products are made for, whole and torn. */
  static Stream<HeadScanCase> large(ScalarType type) {
    return Stream.of(
        new HeadScanCase(type, 1, 130, 2, 128, 64, true),
        new HeadScanCase(type, 1, 63, 3, 64, 128, false),
        new HeadScanCase(type, 1, 1100, 1, 64, 64, true),
        new HeadScanCase(type, 3, 207, 1, 64, 56, true, true));
  }

  long sum() {
    return batch * tokens * (states + values);
  }

  /** Everything an operation of this family may want, by name; keys are of unit length. */
  Map<String, Tensor> tensors(Room room) {
    Draw draw = room.draw(tokens * 1000 + states, type);
    Map<String, Tensor> t = new LinkedHashMap<>();
    t.put("q", unit(draw.normal(batch, tokens, heads, states)));
    t.put("k", unit(draw.normal(batch, tokens, heads, states)));
    t.put("v", draw.normal(batch, tokens, heads, values));
    t.put("beta", draw.uniform(0.05, 0.95, batch, tokens, heads));
    t.put("g", draw.uniformState(-0.4, -0.01, batch, tokens, heads));
    if (carried) t.put("initial", draw.normalState(batch, heads, states, values));
    return t;
  }

  /** Where documents begin; null for one a row. */
  @Nullable Tensor begin(Room room) {
    if (!packed) return null;
    return DocumentCuts.begin(batch, tokens, tokens).to(new Device(room.device()), INT);
  }

  /** The same logarithms, as a recurrence that knows of no documents wants them. */
  Tensor forgetting(Tensor g) {
    if (!packed) return g;
    Tensor firsts = Documents.firsts(DocumentCuts.begin(batch, tokens, tokens)).unsqueeze(-1);
    return g.masked_fill(firsts, scalar(Double.NEGATIVE_INFINITY));
  }

  private static final ScalarType INT = ScalarType.Int;

  @Nullable Tensor dLast(Room room, long rows, long columns) {
    return carried ? room.draw(7, type).normalState(batch, heads, rows, columns) : null;
  }

  Tensor dy(Room room, long columns) {
    return room.draw(9, type).normal(batch, tokens, heads, columns);
  }

  static Tensor unit(Tensor t) {
    Tensor wide = t.to(ScalarType.Double);
    return wide.div(wide.square().sum(-1).sqrt().unsqueeze(-1)).to(t.scalar_type());
  }

  static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  /** S_t = exp(g)·S + k uᵀ with u = v, or the delta rule's; token by token. */
  List<Tensor> compose(Map<String, Tensor> in, boolean delta) {
    Tensor q = get(in, "q"), k = get(in, "k"), v = get(in, "v");
    Tensor g = forgetting(get(in, "g"));
    Tensor s = in.get("initial");
    if (s == null)
      s = k.select(1, 0).unsqueeze(-1).mul(v.select(1, 0).unsqueeze(-2)).mul(scalar(0));
    Tensor[] y = new Tensor[(int) q.size(1)];
    for (int t = 0; t < y.length; t++) {
      s = s.mul(g.select(1, t).exp().unsqueeze(-1).unsqueeze(-1));
      Tensor key = k.select(1, t), u = v.select(1, t);
      if (delta) {
        Tensor recalled = key.unsqueeze(-2).matmul(s).squeeze(-2);
        u = u.sub(recalled).mul(get(in, "beta").select(1, t).unsqueeze(-1));
      }
      s = s.add(key.unsqueeze(-1).mul(u.unsqueeze(-2)));
      y[t] = q.select(1, t).unsqueeze(-2).matmul(s).squeeze(-2);
    }
    return List.of(stack(1, y), s);
  }

  static Tensor zerosLike(Tensor t) {
    return torch.zeros_like(t);
  }
}
