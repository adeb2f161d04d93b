package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.contract.ScanCase.Given;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.op.SelectiveScan.Gradients;
import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.op.SelectiveScan.Output;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's selective scan must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SelectiveScanContract {
  abstract Room room();

  Stream<ScanCase> cases() {
    return room().types().stream().flatMap(ScanCase::all);
  }

  Stream<ScanCase> casesWithDocuments() {
    return room().types().stream().flatMap(t -> Stream.concat(ScanCase.all(t), ScanCase.packed(t)));
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void agreesWithAutograd(ScanCase c) {
    try (Scope scope = new Scope()) {
      Given given = c.given(room());
      Output out = op().forward(given.in(), true);
      Gradients gradients = op().backward(given.in(), out.checkpoints(), given.dy(), given.dLast());
      Autograd wanted = given.oracle();
      assertClose("y", out.y(), wanted.outputs().get(0), c.tokens());
      assertClose("last", out.last(), wanted.outputs().get(1), c.tokens());
      named(gradients)
          .forEach((name, g) -> assertClose("d" + name, g, wanted.gradient(name), c.sum()));
    }
  }

  /**
   * At the activations' precision, also where a result is kept in float32: what a fast exponential
   * costs there, {@link #agreesWithAutograd} bounds.
   */
  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void isNoWorseThanTheReference(ScanCase c) {
    try (Scope scope = new Scope()) {
      Given given = c.given(room());
      SelectiveScan reference = Kernels.REFERENCE.selectiveScan();
      Output out = op().forward(given.in(), true), peer = reference.forward(given.in(), true);
      Autograd truth = given.oracle();
      assertNoWorse("y", out.y(), peer.y(), truth.outputs().get(0));
      assertNoWorse("last", as(out.last(), c), as(peer.last(), c), truth.outputs().get(1));
      Map<String, Tensor> mine =
          named(op().backward(given.in(), out.checkpoints(), given.dy(), given.dLast()));
      named(reference.backward(given.in(), peer.checkpoints(), given.dy(), given.dLast()))
          .forEach((name, g) ->
              assertNoWorse(
                  "d" + name, as(ScanCase.get(mine, name), c), as(g, c), truth.gradient(name)));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void stepsAreTheScan(ScanCase c) {
    try (Scope scope = new Scope()) {
      Given given = c.given(room());
      Output whole = op().forward(given.in(), false);
      Tensor state = given.initialOrZero().clone();
      Tensor[] y = new Tensor[(int) c.tokens()];
      for (int t = 0; t < c.tokens(); t++) y[t] = op().step(given.slice(t, 1, null), state);
      assertClose("y", cat(1, y), whole.y(), c.tokens());
      assertClose("state", state, whole.last(), c.tokens());
    }
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void splittingAnywhereChangesNothing(ScanCase c) {
    try (Scope scope = new Scope()) {
      Given given = c.given(room());
      Output whole = op().forward(given.in(), true);
      var wanted = named(op().backward(given.in(), whole.checkpoints(), given.dy(), given.dLast()));
      for (long cut : new long[] {1, c.tokens() / 2, c.tokens() - 1}) {
        if (cut < 1 || cut >= c.tokens()) continue;
        Inputs head = given.slice(0, cut, given.in().initial());
        Output first = op().forward(head, true);
        Inputs tail = given.slice(cut, c.tokens() - cut, first.last());
        Output second = op().forward(tail, true);
        assertClose("y", cat(1, first.y(), second.y()), whole.y(), c.tokens());
        assertClose("last", second.last(), whole.last(), c.tokens());

        Tensor dyHead = given.dy().narrow(1, 0, cut);
        Tensor dyTail = given.dy().narrow(1, cut, c.tokens() - cut);
        var late = op().backward(tail, second.checkpoints(), dyTail, given.dLast());
        var early = op().backward(head, first.checkpoints(), dyHead, late.initial());
        var joined = joined(named(early), named(late));
        wanted.forEach((name, g) -> assertClose("d" + name, joined.apply(name), g, c.sum()));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("casesWithDocuments")
  void leavesItsInputsAloneAndRepeatsItself(ScanCase c) {
    try (Scope scope = new Scope()) {
      Given given = c.given(room()), untouched = c.given(room());
      Output out = op().forward(given.in(), true), again = op().forward(given.in(), true);
      assertSame("y", again.y(), out.y());
      assertSame("last", again.last(), out.last());
      assertSame("y for inference", op().forward(given.in(), false).y(), out.y());
      var first = named(op().backward(given.in(), out.checkpoints(), given.dy(), given.dLast()));
      named(op().backward(given.in(), out.checkpoints(), given.dy(), given.dLast()))
          .forEach((name, g) -> assertSame("d" + name, g, ScanCase.get(first, name)));
      untouched
          .tensors()
          .forEach((name, t) -> assertSame(name, ScanCase.get(given.tensors(), name), t));
      assertSame("dy", given.dy(), untouched.dy());
    }
  }

  /** To the last bit, forward and backward, even where a state comes in. */
  @Test
  void documentsAreStrangers() {
    for (ScalarType type : room().types()) {
      try (Scope scope = new Scope()) {
        Given given = new ScanCase(type, 1, 72, 19, 4, true, true).given(room());
        int second = 1, third = 71; // where they begin
        Output out = op().forward(given.in(), true);
        var gradients =
            named(op().backward(given.in(), out.checkpoints(), given.dy(), given.dLast()));
        given.in().u().narrow(1, 0, second).fill_(scalar(9));
        given.in().z().narrow(1, 0, second).fill_(scalar(9));
        given.in().u().narrow(1, third, 1).fill_(scalar(9));
        given.dy().narrow(1, 0, second).fill_(scalar(9));
        given.dy().narrow(1, third, 1).fill_(scalar(9));
        Output other = op().forward(given.in(), true);
        assertSame("y", part(other.y(), second, third), part(out.y(), second, third));
        var others =
            named(op().backward(given.in(), other.checkpoints(), given.dy(), given.dLast()));
        for (String name : List.of("u", "delta", "b", "c", "z")) {
          assertSame(
              "d" + name,
              part(ScanCase.get(others, name), second, third),
              part(ScanCase.get(gradients, name), second, third));
        }
      }
    }
  }

  private static Tensor part(Tensor t, long from, long to) {
    return t.narrow(1, from, to - from).contiguous();
  }

  /**
   * Steps so long that a state is forgotten at once, steps of nothing, gates wide open and shut.
   */
  @Test
  void survivesExtremes() {
    for (ScalarType type : room().types()) {
      try (Scope scope = new Scope()) {
        Given given = new ScanCase(type, 2, 40, 19, 4, true).given(room());
        Inputs in = given.in();
        in.delta().narrow(1, 5, 1).fill_(scalar(100));
        in.delta().narrow(1, 9, 2).fill_(scalar(-80));
        in.delta().narrow(1, 20, 1).fill_(scalar(25));
        in.z().narrow(1, 3, 4).fill_(scalar(-120));
        in.z().narrow(1, 11, 4).fill_(scalar(120));
        Output out = op().forward(in, true);
        Gradients gradients = op().backward(in, out.checkpoints(), given.dy(), given.dLast());
        Autograd wanted = given.oracle();
        assertClose("y", out.y(), wanted.outputs().get(0), 200);
        named(gradients)
            .forEach((name, g) -> assertClose("d" + name, g, wanted.gradient(name), 400));
      }
    }
  }

  @Test
  void refusesShapesThatDoNotFit() {
    try (Scope scope = new Scope()) {
      Inputs in = new ScanCase(ScalarType.Float, 1, 3, 5, 2, false).given(room()).in();
      assertThatThrownBy(() ->
              new Inputs(in.u(), in.delta(), in.a(), in.c(), in.c(), in.a(), in.z(), in.d(), null))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("d has shape [5, 2]")
          .hasMessageContaining("expected [5]");
    }
  }

  private static Tensor as(Tensor t, ScanCase c) {
    return t.to(c.type());
  }

  private SelectiveScan op() {
    return room().kernels().selectiveScan();
  }

  static Map<String, Tensor> named(Gradients g) {
    return Map.of(
        "u",
        g.u(),
        "delta",
        g.delta(),
        "a",
        g.a(),
        "b",
        g.b(),
        "c",
        g.c(),
        "d",
        g.d(),
        "z",
        g.z(),
        "deltaBias",
        g.deltaBias(),
        "initial",
        g.initial());
  }

  /**
   * Gradients of a sequence from those of its two parts: side by side, or summed for parameters.
   */
  private static Function<String, Tensor> joined(
      Map<String, Tensor> head, Map<String, Tensor> tail) {
    return name -> {
      Tensor h = ScanCase.get(head, name), t = ScanCase.get(tail, name);
      if (List.of("u", "delta", "b", "c", "z").contains(name)) return cat(1, h, t);
      return name.equals("initial") ? h : h.add(t);
    };
  }
}
