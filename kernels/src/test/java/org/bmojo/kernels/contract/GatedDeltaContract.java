package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.HeadScanCase.get;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.GatedDelta.Inputs;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's gated delta rule must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GatedDeltaContract {
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
      Inputs in = inputs(t, c.begin(room()));
      Tensor dy = c.dy(room(), c.values()), dLast = c.dLast(room(), c.states(), c.values());
      GatedDelta.Output out = op().forward(in, true);
      GatedDelta.Gradients g = op().backward(in, out.checkpoints(), dy, dLast);
      Tensor last = dLast == null ? zeros(out.last(), out.last().shape()) : dLast;
      Autograd wanted = Autograd.of(t, x -> c.compose(x, true), dy, last);
      assertClose("y", out.y(), wanted.outputs().get(0), c.sum());
      assertClose("last", out.last(), wanted.outputs().get(1), c.sum());
      assertClose("dq", g.q(), wanted.gradient("q"), c.sum());
      assertClose("dk", g.k(), wanted.gradient("k"), c.sum());
      assertClose("dv", g.v(), wanted.gradient("v"), c.sum());
      assertClose("dbeta", g.beta(), wanted.gradient("beta"), c.sum());
      assertClose("dg", g.g(), wanted.gradient("g"), 4 * c.sum());
      if (c.carried()) assertClose("dinitial", g.initial(), wanted.gradient("initial"), c.sum());
    }
  }

  @ParameterizedTest
  @MethodSource("casesOfSteps")
  void stepsComputeTheSame(HeadScanCase c) {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t = c.tensors(room());
      GatedDelta.Output out = op().forward(inputs(t), false);
      Tensor state = zeros(get(t, "g"), c.batch(), c.heads(), c.states(), c.values());
      if (c.carried()) state.copy_(get(t, "initial"));
      for (long i = 0; i < c.tokens(); i++) {
        Tensor y =
            op().step(
                    new Inputs(
                        get(t, "q").narrow(1, i, 1),
                        get(t, "k").narrow(1, i, 1),
                        get(t, "v").narrow(1, i, 1),
                        get(t, "beta").narrow(1, i, 1),
                        get(t, "g").narrow(1, i, 1),
                        null),
                    state);
        assertClose("y " + i, y, out.y().narrow(1, i, 1), c.sum());
      }
      assertClose("last", state, out.last(), c.sum());
    }
  }

  private static Inputs inputs(Map<String, Tensor> t) {
    return inputs(t, null);
  }

  private static Inputs inputs(Map<String, Tensor> t, @Nullable Tensor begin) {
    return new Inputs(
        get(t, "q"),
        get(t, "k"),
        get(t, "v"),
        get(t, "beta"),
        get(t, "g"),
        t.get("initial"),
        begin);
  }

  private GatedDelta op() {
    return room().kernels().gatedDelta();
  }
}
