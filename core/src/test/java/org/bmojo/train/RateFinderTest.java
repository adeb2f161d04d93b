package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.DoubleUnaryOperator;
import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.junit.jupiter.api.Test;

class RateFinderTest {
  /** A step down of the loss at 1e-3, a minimum at 1e-1. */
  @Test
  void theSuggestionIsWhereTheLossFallsFastest() {
    RateFinder.Curve curve =
        curve(x -> 4 - 2 / (1 + Math.exp(-4 * (x + 3))) + Math.exp(6 * (x + 0.5)));
    assertThat(Math.log10(Objects.requireNonNull(curve.suggested()))).isCloseTo(-3, within(0.1));
    assertThat(Math.log10(curve.lowest())).isBetween(-2.5, -0.5);
  }

  @Test
  void aLossThatNeverFallsSuggestsNothing() {
    assertThat(curve(x -> 6 + x).suggested()).isNull();
    assertThat(curve(x -> 6 + x).lowest()).isCloseTo(1e-6, within(1e-9));
  }

  private static RateFinder.Curve curve(DoubleUnaryOperator lossOfLog) {
    List<RateFinder.Point> points = new ArrayList<>();
    for (int i = 0; i < 121; i++) {
      double log = -6 + i / 20.0, loss = lossOfLog.applyAsDouble(log);
      points.add(new RateFinder.Point(Math.pow(10, log), loss, loss));
    }
    return RateFinder.Curve.of(points);
  }

  /** Always the same text: the loss falls, and at an absurd rate it rises and ends the ramp. */
  @Test
  void aRampEndsWhereTheLossRises() {
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(GoldenRun.config("mamba"), 1)) {
      RateFinder.Curve curve =
          RateFinder.ramp(model, Optimizer.Settings.STANDARD, new Same(), 1e-5, 1e5, 63);
      assertThat(curve.points()).hasSizeLessThan(63);
      assertThat(curve.points()).isSortedAccordingTo((a, b) -> Double.compare(a.rate(), b.rate()));
      assertThat(curve.suggested()).isBetween(1e-5, curve.lowest());
      assertThatThrownBy(
              () -> RateFinder.ramp(model, Optimizer.Settings.STANDARD, new Same(), 1, 1, 63))
          .isInstanceOf(BadInput.class);
    }
  }

  private static final class Same implements BatchSource {
    @Override
    public org.bmojo.data.Batch next() {
      Batch batch = GoldenRun.batch(1);
      return new org.bmojo.data.Batch(batch.ids(), batch.ids(), null);
    }

    @Override
    public Position position() {
      return new Position(0, 0);
    }

    @Override
    public void seek(Position position) {}
  }
}
