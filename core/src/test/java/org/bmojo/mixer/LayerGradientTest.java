package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.Map;
import java.util.stream.LongStream;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.layer.Names;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Twin;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of random whole layers, for the input and for each parameter by name. */
class LayerGradientTest {
  private static final double STEP = 1e-6;

  static LongStream seeds() {
    return LongStream.range(0, 42);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void agreeWithAutogradAndFiniteDifferences(long seed) {
    LayerCase c = LayerCase.random(seed);
    try (Scope scope = new Scope()) {
      BMojo layer = c.layer(ScalarType.Double);
      Map<String, Parameter> parameters = Names.of(layer);
      Tensor x = c.input(ScalarType.Double, c.tokens());
      Tensor dy = new Draw(seed).normal(Shapes.of(x));

      Map<String, Tensor> leaves = LayerCase.leaves(parameters);
      Tensor leaf = x.clone().set_requires_grad(true);
      Dense dense = Dense.of(c.config(), leaves, leaf);
      Tensor loss = dense.output().mul(dy).sum();
      (dense.ownLoss() == null ? loss : loss.add(dense.ownLoss())).backward();

      Var input = Var.leaf(x);
      try (Tape tape = Tape.recording()) {
        Var out = layer.forward(tape, input, null);
        tape.backward(Twin.weighted(tape, out, dy), 1);
      }
      assertSame(c + ", x", input, leaf);
      parameters.forEach((name, p) -> {
        Tensor wanted = leaves.get(name);
        if (wanted == null) throw new IllegalStateException(name);
        assertSame(c + ", " + name, p, wanted);
        if (seed % 3 == 0) assertSlope(c, layer, name, p, x, dy);
      });
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void thePredictorsLossIsSeenByThePredictorOnly(long seed) {
    LayerCase c = LayerCase.random(seed);
    try (Scope scope = new Scope()) {
      BMojo layer = c.layer(ScalarType.Double);
      Var input = Var.leaf(c.input(ScalarType.Double, c.tokens()));
      try (Tape tape = Tape.recording()) {
        Var out = layer.forward(tape, input, null);
        // Nothing but the layer's own loss is left of the loss.
        tape.backward(
            Twin.weighted(tape, Ops.scale(tape, out, 0), torch.ones_like(out.value())), 1);
      }
      assertThat(loudness(input)).as(c + ", x").isZero();
      Names.of(layer)
          .forEach((name, p) -> {
            if (predicts(name)) {
              // Without a second token there is nothing to predict from.
              if (c.tokens() > 1) assertThat(loudness(p)).as(c + ", " + name).isPositive();
            } else {
              assertThat(loudness(p)).as(c + ", " + name).isZero();
            }
          });
    }
  }

  private static double loudness(Var v) {
    Tensor g = v.gradient();
    return g == null ? 0 : g.abs().max().item_double();
  }

  /** Where autograd has none, ours may be none or zero. */
  private static void assertSame(String name, Var ours, Tensor leaf) {
    Tensor gradient = ours.gradient();
    Tensor actual = gradient == null ? torch.zeros_like(leaf) : gradient;
    Tensor wanted = leaf.grad().defined() ? leaf.grad() : torch.zeros_like(leaf);
    assertThat(wanted.isfinite().all().item_bool()).as(name).isTrue();
    if (wanted.abs().max().item_double() < 1e-13) {
      assertThat(actual.abs().max().item_double()).as(name).isLessThan(1e-13);
    } else {
      assertWithin(name, actual, wanted, 1e-9);
    }
  }

  /**
   * The parameter's gradient is the loss's slope along a random direction; the layer's own loss
   * counts for its predictor only.
   */
  static void assertSlope(LayerCase c, BMojo layer, String name, Parameter p, Tensor x, Tensor dy) {
    Tensor direction = new Draw(c.seed() + 5).normal(Shapes.of(p.value()));
    Tensor before = p.value().clone();
    boolean own = predicts(name);
    p.value().add_(direction, scalar(STEP));
    double above = loss(layer, x, dy, own);
    p.value().copy_(before).sub_(direction, scalar(STEP));
    double below = loss(layer, x, dy, own);
    p.value().copy_(before);
    Tensor g = p.gradient();
    double slope = g == null ? 0 : g.mul(direction).sum().item_double();
    double tolerance = 1e-6 * Math.max(1, Math.abs(slope));
    assertThat((above - below) / (2 * STEP))
        .as(c + ", " + name)
        .isCloseTo(slope, within(tolerance));
  }

  /** Whether a parameter is one of a scorer that predicts. */
  private static boolean predicts(String name) {
    return name.contains("innovation") && !name.endsWith("gamma");
  }

  private static double loss(BMojo layer, Tensor x, Tensor dy, boolean own) {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      double loss = layer.forward(tape, Var.constant(x), null).value().mul(dy).sum().item_double();
      for (Var extra : tape.extraLosses()) loss += own ? extra.value().item_double() : 0;
      return loss;
    }
  }
}
