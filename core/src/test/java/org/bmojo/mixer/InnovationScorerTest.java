package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.Objects;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the loudness of the state does to the prediction's error and gradient. */
class InnovationScorerTest {
  private static final int WIDTH = 48, TOKENS = 63;

  /**
   * @param e (B, T)
   * @param gradient of the mean of e to P, its norm
   */
  private record Outcome(Tensor e, double gradient) {}

  private static Outcome of(boolean scaleFree, double loudness) {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      EideticConfig config = EideticConfig.of(4, 3, Selection.INNOVATION).predictingFrom(scaleFree);
      var scorer =
          new InnovationScorer(WIDTH, config, false, new Initializer(1, ScalarType.Double));
      Draw draw = new Draw(7, ScalarType.Double, new Device("cpu"));
      Var x = Var.constant(draw.normal(2, TOKENS, WIDTH));
      Var y = Var.constant(draw.normal(2, TOKENS, WIDTH).mul(scalar(loudness)));
      Var e = scorer.score(tape, new Scorer.Inputs(x, y, Positions.start(2), null, null));
      Var loss = tape.extraLosses().getFirst();
      tape.backward(Var.constant(loss.value().mul(scalar(0))), 1);
      double square = 0;
      for (var map : new Linear[] {scorer.down, scorer.up}) {
        Tensor g = Objects.requireNonNull(map.weight().gradient());
        square += g.square().sum().item_double();
      }
      return new Outcome(scope.keep(e.value()), Math.sqrt(square));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.05, 30, 3000})
  void scaleFreeItDoesNothing(double loudness) {
    try (Scope _ = new Scope()) {
      Outcome quiet = of(true, 1), loud = of(true, loudness);
      assertThat(loud.e.sub(quiet.e).abs().max().item_double()).isLessThan(1e-3);
      assertThat(loud.gradient).isBetween(0.999 * quiet.gradient, 1.001 * quiet.gradient);
    }
  }

  /** The gradient that a fresh predictor may have is about that of one layer of anything else. */
  @Test
  void aFreshScaleFreePredictorKnowsNothingAndPullsNoHarderThanOthers() {
    try (Scope _ = new Scope()) {
      Outcome fresh = of(true, 1);
      assertThat(fresh.e.mean().item_double()).isBetween(0.95, 1.25);
      assertThat(fresh.gradient).isLessThan(1);
    }
  }

  /** Why it is not enough to read y as it is. */
  @Test
  void otherwiseErrorAndGradientGrowWithItsSquare() {
    try (Scope _ = new Scope()) {
      Outcome quiet = of(false, 1), loud = of(false, 100);
      assertThat(loud.e.mean().item_double()).isGreaterThan(1000 * quiet.e.mean().item_double());
      assertThat(loud.gradient).isGreaterThan(1000 * quiet.gradient);
    }
  }
}
