package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.contract.HeadScanCase.get;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.op.GatedRidge.Inputs;
import org.bmojo.kernels.op.GatedRidge.Solver;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's regularised solver must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GatedRidgeContract {
  private static final Solver USUAL = new Solver(0.02, 30, true);

  abstract Room room();

  Stream<HeadScanCase> cases() {
    return room().types().stream()
        .flatMap(HeadScanCase::all)
        .map(c ->
            new HeadScanCase(
                c.type(),
                c.batch(),
                c.tokens(),
                c.heads(),
                c.states(),
                c.states(),
                c.carried(),
                c.packed()));
  }

  Stream<HeadScanCase> casesOfSteps() {
    return cases().filter(c -> !c.packed());
  }

  /** The iteration as hmf.md writes it, on matrices formed one by one. */
  @ParameterizedTest
  @MethodSource("cases")
  void iteratesAsDefined(HeadScanCase c) {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t = tensors(c);
      GatedRidge.Output out = op().forward(inputs(USUAL, t, c.begin(room())), false);
      Autograd wanted =
          Autograd.of(t, x -> compose(c, x, USUAL.iterations()), c.dy(room(), c.states()));
      assertClose("z", out.z(), wanted.outputs().get(0), 8 * c.sum());
      assertClose("last", out.last(), wanted.outputs().get(1), c.sum());
    }
  }

  /** With iterations enough to solve exactly, the implicit gradient is the gradient. */
  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithAutogradOfTheExactSolution(HeadScanCase c) {
    if (c.type() == ScalarType.BFloat16) return; // 300 iterations of rounded inputs say little.
    try (Scope scope = new Scope()) {
      Solver exact = new Solver(0.02, 300, true);
      Map<String, Tensor> t = tensors(c);
      Tensor dz = c.dy(room(), c.states()), dLast = c.dLast(room(), c.states(), c.states());
      Inputs in = inputs(exact, t, c.begin(room()));
      GatedRidge.Output out = op().forward(in, true);
      GatedRidge.Gradients g = op().backward(in, out, dz, dLast);
      Tensor last = dLast == null ? zeros(out.last(), out.last().shape()) : dLast;
      Autograd wanted = Autograd.of(t, x -> compose(c, x, 0), dz, last);
      double tolerance = c.type() == ScalarType.Double ? 1e-9 : 1e-4;
      assertWithin("z", out.z(), wanted.outputs().get(0), tolerance);
      assertWithin("dq", g.q(), wanted.gradient("q"), tolerance);
      assertWithin("dk", g.k(), wanted.gradient("k"), tolerance);
      assertWithin("dg", g.g(), wanted.gradient("g"), tolerance);
      if (c.carried()) {
        assertWithin("dinitial", g.initial(), wanted.gradient("initial"), tolerance);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("casesOfSteps")
  void stepsComputeTheSame(HeadScanCase c) {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> t = tensors(c);
      GatedRidge.Output out = op().forward(inputs(USUAL, t), false);
      Tensor state = zeros(get(t, "g"), c.batch(), c.heads(), c.states(), c.states());
      if (c.carried()) state.copy_(get(t, "initial"));
      for (long i = 0; i < c.tokens(); i++) {
        Tensor z =
            op().step(
                    new Inputs(
                        USUAL,
                        get(t, "q").narrow(1, i, 1),
                        get(t, "k").narrow(1, i, 1),
                        get(t, "g").narrow(1, i, 1),
                        null),
                    state);
        assertClose("z " + i, z, out.z().narrow(1, i, 1), 8 * c.sum());
      }
      assertClose("last", state, out.last(), c.sum());
    }
  }

  @Test
  void lambdaIsAConstantWhereGradientsAreNotToSeeIt() {
    try (Scope scope = new Scope()) {
      HeadScanCase c = new HeadScanCase(ScalarType.Double, 1, 5, 1, 3, 3, false);
      if (!room().types().contains(ScalarType.Double)) return;
      Map<String, Tensor> t = tensors(c);
      Tensor dz = c.dy(room(), 3);
      Inputs seen = inputs(new Solver(0.02, 30, true), t);
      Inputs unseen = inputs(new Solver(0.02, 30, false), t);
      Tensor with = op().backward(seen, op().forward(seen, true), dz, null).k();
      Tensor without = op().backward(unseen, op().forward(unseen, true), dz, null).k();
      org.assertj.core.api.Assertions.assertThat(with.sub(without).abs().max().item_double())
          .isGreaterThan(1e-6);
    }
  }

  Map<String, Tensor> tensors(HeadScanCase c) {
    Map<String, Tensor> t = c.tensors(room());
    t.remove("v");
    t.remove("beta");
    Tensor initial = t.get("initial");
    if (initial != null) { // a Gram matrix, as it would be
      t.put("initial", initial.matmul(initial.transpose(-1, -2)).mul(scalar(0.1)).contiguous());
    }
    return t;
  }

  /** Token by token; by iterations, or where that is 0 exactly. */
  private static List<Tensor> compose(HeadScanCase c, Map<String, Tensor> in, int iterations) {
    Tensor q = get(in, "q"), k = get(in, "k");
    Tensor g = c.forgetting(get(in, "g"));
    Tensor m = in.get("initial");
    Tensor identity = torch.eye(q.size(3), q.options());
    if (m == null) m = torch.zeros_like(identity);
    Tensor[] z = new Tensor[(int) q.size(1)];
    for (int t = 0; t < z.length; t++) {
      Tensor key = k.select(1, t);
      m =
          m.mul(g.select(1, t).exp().unsqueeze(-1).unsqueeze(-1))
              .add(key.unsqueeze(-1).mul(key.unsqueeze(-2)));
      Tensor f = m.square().sum(-1, -2).sqrt().unsqueeze(-1).unsqueeze(-1);
      Tensor a = m.add(identity.mul(f.mul(scalar(0.02))));
      Tensor b = q.select(1, t).unsqueeze(-1);
      z[t] = (iterations == 0 ? a.inverse().matmul(b) : chebyshev(a, f, b, iterations)).squeeze(-1);
    }
    return List.of(stack(1, z), m);
  }

  private static Tensor chebyshev(Tensor a, Tensor f, Tensor b, int iterations) {
    Tensor lambda = f.mul(scalar(0.02));
    Tensor denominator = lambda.mul(scalar(2)).add(f);
    Tensor step = denominator.reciprocal().mul(scalar(2));
    Tensor c = f.div(denominator).div(scalar(2)).square();
    Tensor omega = torch.full_like(f, scalar(2));
    Tensor before = torch.zeros_like(b), z = b.mul(step);
    for (int i = 0; i < iterations; i++) {
      omega = torch.ones_like(c).sub(c.mul(omega)).reciprocal();
      Tensor residual = a.matmul(z).sub(b);
      Tensor next =
          omega
              .mul(z)
              .sub(step.mul(omega).mul(residual))
              .sub(omega.sub(torch.ones_like(omega)).mul(before));
      before = z;
      z = next;
    }
    return z;
  }

  private static Inputs inputs(Solver solver, Map<String, Tensor> t) {
    return inputs(solver, t, null);
  }

  static Inputs inputs(Solver solver, Map<String, Tensor> t, @Nullable Tensor begin) {
    return new Inputs(solver, get(t, "q"), get(t, "k"), get(t, "g"), t.get("initial"), begin);
  }

  GatedRidge op() {
    return room().kernels().gatedRidge();
  }
}
