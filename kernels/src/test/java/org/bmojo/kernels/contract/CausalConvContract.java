package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.CausalConv.Gradients;
import org.bmojo.kernels.op.CausalConv.Inputs;
import org.bmojo.kernels.op.CausalConv.Output;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's causal convolution must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class CausalConvContract {
  abstract Room room();

  /** Sizes, and whether there are a bias and a state before the first token. */
  record Case(
      ScalarType type,
      long batch,
      long tokens,
      long channels,
      long width,
      boolean full,
      boolean packed) {
    Case(ScalarType type, long batch, long tokens, long channels, long width, boolean full) {
      this(type, batch, tokens, channels, width, full, false);
    }
  }

  Stream<Case> casesWithDocuments() {
    return Stream.concat(
        cases(),
        room().types().stream()
            .flatMap(type ->
                Stream.of(
                    new Case(type, 1, 1, 1, 4, true, true),
                    new Case(type, 4, 3, 16, 4, true, true),
                    new Case(type, 4, 13, 33, 2, false, true),
                    new Case(type, 4, 207, 17, 4, true, true),
                    new Case(type, 4, 65, 130, 5, true, true))));
  }

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 1, 4, true),
                new Case(type, 2, 2, 5, 4, false),
                new Case(type, 1, 3, 16, 4, true),
                new Case(type, 2, 13, 33, 1, true),
                new Case(type, 3, 63, 64, 4, false),
                new Case(type, 2, 207, 17, 3, true),
                new Case(type, 1, 65, 207, 4, true)));
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void agreesWithAutograd(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      Output out = op().forward(given.in);
      Autograd wanted = given.oracle();
      assertClose("y", out.y(), wanted.outputs().get(0), c.width);
      assertClose("last", out.last(), wanted.outputs().get(1), c.width);
      named(op().backward(given.in, given.dy))
          .forEach((n, g) -> assertClose("d" + n, g, wanted.gradient(n), c.batch * c.tokens));
      Tensor x = given.in.x();
      var onto = op().backwardOnto(x, given.in, given.dy);
      assertClose("dx onto x", onto.x(), wanted.gradient("x").add(Close.wide(x)), c.width);
    }
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void isNoWorseThanTheReferenceAndRepeatsItself(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c), untouched = new Given(c);
      Output out = op().forward(given.in);
      var gradients = named(op().backward(given.in, given.dy));
      assertSame("y", op().forward(given.in).y(), out.y());
      named(op().backward(given.in, given.dy))
          .forEach((name, g) -> assertSame("d" + name, g, get(gradients, name)));
      untouched.tensors().forEach((name, t) -> assertSame(name, get(given.tensors(), name), t));

      CausalConv reference = Kernels.REFERENCE.causalConv();
      Autograd truth = given.oracle();
      assertNoWorse("y", out.y(), reference.forward(given.in).y(), truth.outputs().get(0));
      named(reference.backward(given.in, given.dy))
          .forEach((n, g) -> assertNoWorse("d" + n, get(gradients, n), g, truth.gradient(n)));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void stepsAreTheConvolution(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      Output whole = op().forward(given.in);
      Tensor state = given.initialOrZero().clone();
      Tensor[] y = new Tensor[(int) c.tokens];
      for (int t = 0; t < c.tokens; t++) y[t] = op().step(given.slice(t, 1, null), state);
      assertClose("y", cat(1, y), whole.y(), c.width);
      assertSame("state", state, whole.last());
    }
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void splittingAnywhereChangesNothing(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      Output whole = op().forward(given.in);
      for (long cut = 1; cut < c.tokens; cut += Math.max(1, c.tokens / 3)) {
        Output head = op().forward(given.slice(0, cut, given.in.initial()));
        Output tail = op().forward(given.slice(cut, c.tokens - cut, head.last()));
        assertClose("y", cat(1, head.y(), tail.y()), whole.y(), c.width);
        assertSame("last", tail.last(), whole.last());
      }
    }
  }

  /** To the last bit, forward and backward, even where a state comes in. */
  @Test
  void documentsAreStrangers() {
    for (ScalarType type : room().types()) {
      try (Scope scope = new Scope()) {
        Given given = new Given(new Case(type, 1, 40, 19, 4, true, true));
        Tensor y = part(op().forward(given.in).y()),
            dx = part(op().backward(given.in, given.dy).x());
        for (Tensor t : List.of(given.in.x(), given.dy)) {
          t.narrow(1, 0, 1).fill_(scalar(9));
          t.narrow(1, 39, 1).fill_(scalar(9));
        }
        Tensor initial = given.in.initial();
        if (initial != null) initial.fill_(scalar(9));
        assertSame("y", part(op().forward(given.in).y()), y);
        assertSame("dx", part(op().backward(given.in, given.dy).x()), dx);
      }
    }
  }

  /** The second of three documents. */
  private static Tensor part(Tensor t) {
    return t.narrow(1, 1, 38).clone();
  }

  private CausalConv op() {
    return room().kernels().causalConv();
  }

  private static Map<String, Tensor> named(Gradients g) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    named.put("x", g.x());
    named.put("weight", g.weight());
    if (g.bias() != null) named.put("bias", g.bias());
    named.put("initial", g.initial());
    return named;
  }

  private static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  /** The tensors of a case, always the same ones. */
  private final class Given {
    final Inputs in;
    final Tensor dy;

    Given(Case c) {
      Draw draw = room().draw(c.tokens * 1000 + c.channels, c.type);
      Tensor x = draw.normal(c.batch, c.tokens, c.channels);
      Tensor weight = draw.normal(c.channels, c.width);
      Tensor bias = c.full ? draw.normal(c.channels) : null;
      Tensor initial = c.full ? draw.normal(c.batch, c.width - 1, c.channels) : null;
      Tensor begin =
          c.packed
              ? DocumentCuts.begin(c.batch, c.tokens, c.tokens).to(x.device(), ScalarType.Int)
              : null;
      in = new Inputs(x, weight, bias, initial, begin);
      dy = draw.normal(c.batch, c.tokens, c.channels);
    }

    Tensor initialOrZero() {
      Tensor initial = in.initial();
      if (initial != null) return initial;
      return zeros(in.x(), in.x().size(0), in.weight().size(1) - 1, in.x().size(2));
    }

    Inputs slice(long from, long count, @Nullable Tensor initial) {
      return new Inputs(
          in.x().narrow(1, from, count),
          in.weight(),
          in.bias(),
          initial,
          in.begin() == null ? null : DocumentCuts.slice(in.begin(), from, count));
    }

    Map<String, Tensor> tensors() {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      inputs.put("x", in.x());
      inputs.put("weight", in.weight());
      if (in.bias() != null) inputs.put("bias", in.bias());
      inputs.put("initial", initialOrZero());
      return inputs;
    }

    Autograd oracle() {
      Tensor begin = in.begin() == null ? null : in.begin().cpu();
      return Autograd.of(tensors(), inputs -> compose(inputs, begin), dy);
    }
  }

  /** One token after another: the newest K inputs times the kernel. */
  private static List<Tensor> compose(Map<String, Tensor> in, @Nullable Tensor begin) {
    Tensor padded = cat(1, get(in, "initial"), get(in, "x")); // (B, K−1+T, I)
    Tensor weight = get(in, "weight").t(); // (K, I)
    long width = weight.size(0), tokens = get(in, "x").size(1);
    Tensor[] rows = new Tensor[(int) tokens];
    for (int t = 0; t < tokens; t++) {
      Tensor newest = padded.narrow(1, t, width);
      if (begin != null) {
        Tensor inputs = range(begin, t - width + 1, t + 1); // tokens they belong to
        newest = newest.mul(begin.narrow(1, t, 1).le(inputs).unsqueeze(-1));
      }
      rows[t] = newest.mul(weight).sum(new long[] {1}, true, null);
    }
    Tensor linear = cat(1, rows);
    Tensor bias = in.get("bias");
    if (bias != null) linear = linear.add(bias);
    return List.of(linear.mul(linear.sigmoid()), padded.narrow(1, tokens, width - 1));
  }
}
