package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.contract.HeadScanCase.get;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.op.Ssd.Inputs;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's state-space duality must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SsdContract {
  abstract Room room();

  Stream<HeadScanCase> cases() {
    return room().types().stream().flatMap(HeadScanCase::all);
  }

  Stream<HeadScanCase> casesOfSteps() {
    return cases().filter(c -> !c.packed());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithAutograd(HeadScanCase c) {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t = c.tensors(room());
      t.remove("beta");
      Inputs in = inputs(t, c.begin(room()));
      Tensor dy = c.dy(room(), c.values()), dLast = c.dLast(room(), c.states(), c.values());
      Ssd.Output out = op().forward(in, true);
      Ssd.Gradients g = op().backward(in, out.checkpoints(), dy, dLast);
      Tensor last = dLast == null ? zeros(out.last(), out.last().shape()) : dLast;
      Autograd wanted = Autograd.of(t, x -> c.compose(x, false), dy, last);
      assertClose("y", out.y(), wanted.outputs().get(0), c.sum());
      assertClose("last", out.last(), wanted.outputs().get(1), c.sum());
      assertClose("dq", g.q(), wanted.gradient("q"), c.sum());
      assertClose("dk", g.k(), wanted.gradient("k"), c.sum());
      assertClose("dv", g.v(), wanted.gradient("v"), c.sum());
      assertClose("dg", g.g(), wanted.gradient("g"), 4 * c.sum());
      if (c.carried()) assertClose("dinitial", g.initial(), wanted.gradient("initial"), c.sum());
    }
  }

  @ParameterizedTest
  @MethodSource("casesOfSteps")
  void stepsComputeTheSame(HeadScanCase c) {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t = c.tensors(room());
      Ssd.Output out = op().forward(inputs(t), false);
      Tensor state = zeros(get(t, "g"), c.batch(), c.heads(), c.states(), c.values());
      if (c.carried()) state.copy_(get(t, "initial"));
      for (long i = 0; i < c.tokens(); i++) {
        Tensor y =
            op().step(
                    new Inputs(
                        get(t, "q").narrow(1, i, 1),
                        get(t, "k").narrow(1, i, 1),
                        get(t, "v").narrow(1, i, 1),
                        get(t, "g").narrow(1, i, 1),
                        null),
                    state);
        assertClose("y " + i, y, out.y().narrow(1, i, 1), c.sum());
      }
      assertClose("last", state, out.last(), c.sum());
    }
  }

  /** Decays so fast that nothing is left, next to none at all. */
  @Test
  void survivesExtremes() {
    for (ScalarType type : room().types()) {
      try (Scope scope = new Scope()) {
        HeadScanCase c = new HeadScanCase(type, 1, 130, 2, 4, 3, true);
        Map<String, Tensor> t = c.tensors(room());
        t.remove("beta");
        get(t, "g").narrow(1, 20, 30).fill_(scalar(-200));
        get(t, "g").narrow(1, 70, 30).fill_(scalar(0));
        Tensor dy = c.dy(room(), 3);
        Ssd.Output out = op().forward(inputs(t), true);
        Ssd.Gradients g = op().backward(inputs(t), out.checkpoints(), dy, null);
        Tensor none = zeros(out.last(), out.last().shape());
        Autograd wanted = Autograd.of(t, x -> c.compose(x, false), dy, none);
        assertClose("y", out.y(), wanted.outputs().get(0), 1000);
        assertClose("dk", g.k(), wanted.gradient("k"), 1000);
        assertClose("dg", g.g(), wanted.gradient("g"), 4000);
      }
    }
  }

  @Test
  void repeatsItselfAndRefusesShapesThatDoNotFit() {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t =
          new HeadScanCase(ScalarType.Float, 2, 70, 2, 4, 3, true).tensors(room());
      assertSame("y", op().forward(inputs(t), true).y(), op().forward(inputs(t), false).y());
      assertThatThrownBy(() -> new Inputs(get(t, "q"), get(t, "v"), get(t, "v"), get(t, "g"), null))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("k has shape [2, 70, 2, 3]");
    }
  }

  private static Inputs inputs(Map<String, Tensor> t) {
    return inputs(t, null);
  }

  private static Inputs inputs(Map<String, Tensor> t, @Nullable Tensor begin) {
    return new Inputs(get(t, "q"), get(t, "k"), get(t, "v"), get(t, "g"), t.get("initial"), begin);
  }

  private Ssd op() {
    return room().kernels().ssd();
  }
}
