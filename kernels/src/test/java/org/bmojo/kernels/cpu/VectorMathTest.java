package org.bmojo.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

/** Errors in units in the last place, over a fine grid of arguments. */
final class VectorMathTest {
  @Test
  void exp2() {
    assertThat(worst(VectorMath::exp2, x -> Math.pow(2, x), -125, 30)).isLessThan(1.2);
    assertThat(worst(VectorMath::exp2, x -> Math.pow(2, x), -1e-3f, 1e-3f)).isLessThan(0.6);
  }

  @Test
  void exp() {
    assertThat(worst(VectorMath::exp, Math::exp, -86, 80)).isLessThan(1.5);
  }

  @Test
  void sigmoid() {
    assertThat(worst(VectorMath::sigmoid, x -> 1 / (1 + Math.exp(-x)), -80, 80)).isLessThan(2.6);
  }

  @Test
  void softplus() {
    assertThat(worst(VectorMath::softplus, x -> Math.log1p(Math.exp(x)), -80, 80)).isLessThan(2.2);
    assertThat(worst(VectorMath::softplus, x -> Math.log1p(Math.exp(x)), -2, 2)).isLessThan(2.2);
  }

  @Test
  void edges() {
    assertThat(at(VectorMath::exp2, 0f)).isEqualTo(1f);
    assertThat(at(VectorMath::exp2, -1e30f)).isLessThan(1e-37f);
    assertThat(at(VectorMath::exp2, Float.NEGATIVE_INFINITY)).isLessThan(1e-37f);
    assertThat(at(VectorMath::exp2, Float.NaN)).isNaN();
    assertThat(at(VectorMath::sigmoid, 1e4f)).isEqualTo(1f);
    assertThat(at(VectorMath::sigmoid, -1e4f)).isBetween(0f, 1e-37f);
    assertThat(at(VectorMath::softplus, 1e4f)).isEqualTo(1e4f);
    assertThat(at(VectorMath::softplus, -1e4f)).isBetween(0f, 1e-37f);
    assertThat(at(VectorMath::softplus, Float.NaN)).isNaN();
  }

  private static double worst(
      UnaryOperator<FloatVector> f, DoubleUnaryOperator truth, float from, float to) {
    double worst = 0;
    float[] x = new float[Lanes.LANES], y = new float[Lanes.LANES];
    int vectors = 4000;
    for (int k = 0; k < vectors; k++) {
      for (int i = 0; i < x.length; i++) {
        x[i] = from + (to - from) * (k * x.length + i) / (vectors * x.length);
      }
      f.apply(Lanes.load(x, 0)).intoArray(y, 0);
      for (int i = 0; i < x.length; i++) {
        double wanted = truth.applyAsDouble(x[i]);
        worst = Math.max(worst, Math.abs(y[i] - wanted) / Math.ulp((float) wanted));
      }
    }
    return worst;
  }

  private static float at(UnaryOperator<FloatVector> f, float x) {
    return f.apply(Lanes.all(x)).lane(0);
  }
}
