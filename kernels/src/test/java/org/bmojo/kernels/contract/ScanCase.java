package org.bmojo.kernels.contract;

import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Sizes of a scan, and whether a state comes in and a gradient comes back from the final state.
 *
 * @param carried both of them, or neither
 * @param packed whether rows hold several documents
 */
record ScanCase(
    ScalarType type,
    long batch,
    long tokens,
    long channels,
    long states,
    boolean carried,
    boolean packed) {
  ScanCase(ScalarType type, long batch, long tokens, long channels, long states, boolean carried) {
    this(type, batch, tokens, channels, states, carried, false);
  }

  /** Tails in channels, tokens and states; around the lengths that a room may tile by. */
  static Stream<ScanCase> all(ScalarType type) {
    return Stream.of(
        new ScanCase(type, 1, 1, 1, 1, false),
        new ScanCase(type, 1, 1, 1, 1, true),
        new ScanCase(type, 2, 13, 5, 3, true),
        new ScanCase(type, 1, 15, 16, 16, true),
        new ScanCase(type, 1, 16, 32, 8, false),
        new ScanCase(type, 3, 17, 17, 16, true),
        new ScanCase(type, 2, 33, 131, 5, true),
        new ScanCase(type, 1, 63, 64, 16, false),
        new ScanCase(type, 2, 65, 300, 2, true),
        new ScanCase(type, 1, 207, 21, 4, true));
  }

  /** Rows of several documents. */
  static Stream<ScanCase> packed(ScalarType type) {
    return Stream.of(
        new ScanCase(type, 1, 1, 1, 1, true, true),
        new ScanCase(type, 4, 13, 5, 3, true, true),
        new ScanCase(type, 4, 33, 131, 16, false, true),
        new ScanCase(type, 2, 65, 300, 2, true, true),
        new ScanCase(type, 4, 207, 21, 4, true, true));
  }

  private static final ScalarType INT = ScalarType.Int;

  /** The longest sum behind a gradient. */
  long sum() {
    return batch * tokens + channels;
  }

  Given given(Room room) {
    Draw draw = room.draw(tokens * 1000 + channels, type);
    Tensor u = draw.normal(batch, tokens, channels);
    Tensor delta = draw.normal(batch, tokens, channels);
    Tensor a = draw.uniformState(-states - 0.5, -0.5, channels, states);
    Tensor b = draw.normal(batch, tokens, states);
    Tensor c = draw.normal(batch, tokens, states);
    Tensor d = draw.normalState(channels);
    Tensor z = draw.normal(batch, tokens, channels);
    Tensor deltaBias = draw.uniformState(-5, -1, channels);
    Tensor initial = carried ? draw.normalState(batch, channels, states) : null;
    Tensor dy = draw.normal(batch, tokens, channels);
    Tensor dLast = carried ? draw.normalState(batch, channels, states) : null;
    Tensor begin = packed ? DocumentCuts.begin(batch, tokens, tokens).to(u.device(), INT) : null;
    return new Given(new Inputs(u, delta, a, b, c, d, z, deltaBias, initial, begin), dy, dLast);
  }

  /** Tensors of a case, the same at every call. */
  record Given(Inputs in, Tensor dy, @Nullable Tensor dLast) {
    Tensor initialOrZero() {
      Tensor initial = in.initial();
      if (initial != null) return initial;
      return zeros(in.a(), in.u().size(0), in.a().size(0), in.a().size(1));
    }

    /** The tokens [from, from + count), not contiguous where there are several sequences. */
    Inputs slice(long from, long count, @Nullable Tensor initial) {
      return new Inputs(
          in.u().narrow(1, from, count),
          in.delta().narrow(1, from, count),
          in.a(),
          in.b().narrow(1, from, count),
          in.c().narrow(1, from, count),
          in.d(),
          in.z().narrow(1, from, count),
          in.deltaBias(),
          initial,
          in.begin() == null ? null : DocumentCuts.slice(in.begin(), from, count));
    }

    Map<String, Tensor> tensors() {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      inputs.put("u", in.u());
      inputs.put("delta", in.delta());
      inputs.put("a", in.a());
      inputs.put("b", in.b());
      inputs.put("c", in.c());
      inputs.put("d", in.d());
      inputs.put("z", in.z());
      inputs.put("deltaBias", in.deltaBias());
      inputs.put("initial", initialOrZero());
      return inputs;
    }

    Autograd oracle() {
      Tensor noFlow = torch.zeros_like(initialOrZero());
      Tensor begin = in.begin() == null ? null : in.begin().cpu();
      return Autograd.of(
          tensors(), given -> compose(given, begin), dy, dLast == null ? noFlow : dLast);
    }
  }

  /** The recurrence, token by token, as the interface's Javadoc writes it. */
  static List<Tensor> compose(Map<String, Tensor> in, @Nullable Tensor begin) {
    Tensor u = get(in, "u"), z = get(in, "z");
    Tensor raw = get(in, "delta").add(get(in, "deltaBias"));
    Tensor delta = torch.log1p(raw.exp());
    Tensor h = get(in, "initial"); // (B, I, N)
    Tensor[] y = new Tensor[(int) u.size(1)];
    for (int t = 0; t < y.length; t++) {
      Tensor step = delta.select(1, t).unsqueeze(-1); // (B, I, 1)
      Tensor input = u.select(1, t).unsqueeze(-1).mul(get(in, "b").select(1, t).unsqueeze(1));
      if (begin != null) h = h.mul(begin.select(1, t).ne(new Scalar(t)).reshape(-1, 1, 1));
      h = step.mul(get(in, "a")).exp().mul(h).add(step.mul(input));
      y[t] = h.mul(get(in, "c").select(1, t).unsqueeze(1)).sum(-1);
    }
    Tensor read = stack(1, y).add(get(in, "d").mul(u));
    return List.of(read.mul(z).mul(z.sigmoid()), h);
  }

  static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }
}
