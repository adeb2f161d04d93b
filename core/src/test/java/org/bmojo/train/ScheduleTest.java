package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.bmojo.error.BadInput;
import org.bmojo.train.Schedule.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ScheduleTest {
  @ParameterizedTest
  @EnumSource
  void warmUpIsALineToThePeak(Shape shape) {
    Schedule s = new Schedule(shape, 0.01, 0.1, 10, 100);
    assertThat(s.rate(1)).isCloseTo(0.001, within(1e-15));
    assertThat(s.rate(5)).isCloseTo(0.005, within(1e-15));
    assertThat(s.rate(10)).isEqualTo(0.01);
  }

  @Test
  void cosineFallsByItsFormulaToTheFloor() {
    Schedule s = new Schedule(Shape.COSINE, 2, 0.25, 10, 110);
    for (int step : new int[] {11, 35, 60, 85, 109}) {
      double wanted = 0.5 + 1.5 * (1 + Math.cos(Math.PI * (step - 10) / 100)) / 2;
      assertThat(s.rate(step)).isCloseTo(wanted, within(1e-12));
    }
    assertThat(s.rate(60)).isCloseTo(1.25, within(1e-12));
    assertThat(s.rate(110)).isCloseTo(0.5, within(1e-15));
    assertThat(s.rate(1000)).as("past the end").isEqualTo(s.rate(110));
  }

  @Test
  void wsdStaysAndThenFallsOverTheLastFifth() {
    Schedule s = new Schedule(Shape.WSD, 1, 0, 0, 100);
    assertThat(s.rate(1)).isEqualTo(1);
    assertThat(s.rate(80)).isCloseTo(1, within(1e-12));
    assertThat(s.rate(90)).isCloseTo(0.5, within(1e-12));
    assertThat(s.rate(100)).isZero();
    assertThat(s.rate(101)).isZero();
  }

  @Test
  void constantStays() {
    Schedule s = new Schedule(Shape.CONSTANT, 0.3, 0, 0, 7);
    for (int step = 1; step < 10; step++) assertThat(s.rate(step)).isEqualTo(0.3);
  }

  @Test
  void aRunOfOneStepAndARunThatOnlyWarmsUp() {
    assertThat(Schedule.cosine(0.1, 1).rate(1)).isEqualTo(0.1);
    Schedule warm = new Schedule(Shape.COSINE, 1, 0, 5, 5);
    assertThat(warm.rate(5)).isEqualTo(1);
    assertThat(warm.rate(6)).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void neverAboveThePeakNorBelowTheFloorAfterWarmUp(Shape shape) {
    Schedule s = new Schedule(shape, 3, 0.2, 13, 207);
    for (int step = 1; step <= 250; step++) {
      assertThat(s.rate(step)).isPositive().isLessThanOrEqualTo(3);
      if (step > 13) {
        assertThat(s.rate(step)).isGreaterThanOrEqualTo(0.6 - 1e-12);
        assertThat(s.rate(step)).isLessThanOrEqualTo(s.rate(step - 1) + 1e-12);
      }
    }
  }

  @Test
  void nonsenseIsRefused() {
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, 0, 0, 0, 1)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, 1, 2, 0, 1)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, 1, 0, 2, 1)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, 1, 0, 0, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, Double.NaN, 0, 0, 1))
        .isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, 1, Double.NaN, 0, 1))
        .isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Schedule(Shape.COSINE, Double.POSITIVE_INFINITY, 0, 0, 1))
        .isInstanceOf(BadInput.class);
  }
}
