package org.bmojo.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.bmojo.error.BadInput;
import org.bmojo.layer.RopeScaling.Planes;
import org.junit.jupiter.api.Test;

/** Frequencies of a head of 16 with base 10,000, against those of transformers 5.17 (float32). */
class RopeScalingTest {
  private static final float[] LINEAR = {
    2.500000000e-01f, 7.905694097e-02f, 2.500000037e-02f, 7.905694656e-03f,
    2.499999944e-03f, 7.905694656e-04f, 2.500000119e-04f, 7.905694656e-05f
  };
  private static final float[] DYNAMIC = {
    1.000000000e+00f, 2.292583734e-01f, 5.255939811e-02f, 1.204968244e-02f,
    2.762490651e-03f, 6.333240890e-04f, 1.451948483e-04f, 3.328713137e-05f
  };
  private static final float[] LLAMA3 = {
    1.000000000e+00f, 2.443845868e-01f, 1.304225624e-02f, 3.952847328e-03f,
    1.249999972e-03f, 3.952847328e-04f, 1.250000059e-04f, 3.952847328e-05f
  };
  private static final float[] YARN = {
    1.000000000e+00f, 2.371708155e-01f, 4.999999702e-02f, 7.905694656e-03f,
    2.499999944e-03f, 7.905694656e-04f, 2.500000119e-04f, 7.905694656e-05f
  };

  @Test
  void frequencies() {
    assertNear(new RopeScaling.Linear(4), 1, LINEAR);
    assertNear(new RopeScaling.Dynamic(4, 64), 200, DYNAMIC);
    assertNear(new RopeScaling.Llama3(8, 1, 4, 64), 1, LLAMA3);
    RopeScaling yarn = new RopeScaling.Yarn(4, 64, 32, 1, true, null);
    assertNear(yarn, 1, YARN);
    assertThat(yarn.magnitude()).isCloseTo(1.138629436111989, within(1e-15));
  }

  @Test
  void dynamicRopeIsPlainUpToItsLength() {
    Planes planes = new Planes(16, 10_000, false);
    assertThat(new RopeScaling.Dynamic(4, 64).stretch(planes, 64)).isEqualTo(planes.frequencies());
  }

  @Test
  void refusesNumbersThatContradictEachOther() {
    assertThatThrownBy(() -> new RopeScaling.Linear(Double.POSITIVE_INFINITY))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("Infinity");
    assertThatThrownBy(() -> new RopeScaling.Llama3(8, 4, 1, 64))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("low 4.0, high 1.0");
    assertThatThrownBy(() -> new RopeScaling.Yarn(0.5, 64, 32, 1, true, null))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("factor 0.5");
  }

  /**
   * To a rounding of float32 where every step is rounded, and closer to the truth where none is.
   */
  private static void assertNear(RopeScaling scaling, long length, float[] wanted) {
    for (boolean single : new boolean[] {true, false}) {
      double[] actual = scaling.stretch(new Planes(16, 10_000, single), length);
      assertThat(actual).hasSameSizeAs(wanted);
      for (int m = 0; m < wanted.length; m++) {
        assertThat(actual[m])
            .as("%s, plane %d", scaling, m)
            .isCloseTo(wanted[m], within(3e-7 * wanted[m]));
      }
    }
  }
}
