package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ThresholdTest {
  private static final int TOKENS = 2000;

  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.5, 0.9})
  void theRunningQuantileIsThatOfTheDefinitionAndOfTheScores(double quantile) {
    Threshold threshold = new Threshold(null, quantile);
    Eligibility eligibility = new Eligibility(threshold);
    try (Scope scope = new Scope()) {
      Tensor scores = new Draw(3).normal(2, TOKENS).exp();
      Tensor whole = eligibility.apply(scores, null, null);
      // The same in calls of uneven length.
      Tensor start = Objects.requireNonNull(eligibility.start(scores, 2));
      try (Owned tau = new Owned(start)) {
        Tensor[] parts =
            new Tensor[] {
              eligibility.apply(scores.narrow(1, 0, 1), null, tau),
              eligibility.apply(scores.narrow(1, 1, 700), null, tau),
              eligibility.apply(scores.narrow(1, 701, TOKENS - 701), null, tau)
            };
        assertThat(cat(1, parts).equal(whole)).isTrue();
      }
      for (int b = 0; b < 2; b++) {
        double[] e = new double[TOKENS];
        for (int j = 0; j < TOKENS; j++) e[j] = scores.select(0, b).select(0, j).item_double();
        boolean[] passes = NaiveSets.passes(e, config(threshold));
        int kept = 0;
        for (int j = 0; j < TOKENS; j++) {
          double eligible = whole.select(0, b).select(0, j).item_double();
          assertThat(eligible).isEqualTo(passes[j] ? e[j] : Double.NEGATIVE_INFINITY);
          if (passes[j]) kept++;
        }
        assertThat((double) kept / TOKENS).isCloseTo(1 - quantile, within(0.05));
      }
    }
  }

  @Test
  void anAbsoluteBarMustBeExceeded() {
    Eligibility eligibility = new Eligibility(new Threshold(0.5, null));
    try (Scope scope = new Scope()) {
      Tensor scores = Tensor.create(new double[] {0.4, 0.5, 0.6, Math.nextUp(0.5)}, 1, 4);
      Tensor eligible = eligibility.apply(scores, null, null);
      double never = Double.NEGATIVE_INFINITY;
      Tensor wanted = Tensor.create(new double[] {never, never, 0.6, Math.nextUp(0.5)}, 1, 4);
      assertThat(eligible.equal(wanted)).isTrue();
      assertThat(eligibility.start(scores, 1)).isNull();
    }
  }

  @Test
  void contradictionsAreRefused() {
    assertThatThrownBy(() -> new Threshold(null, null)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Threshold(1.0, 0.5)).isInstanceOf(BadInput.class);
    for (double quantile : new double[] {0, 1, -1, Double.NaN}) {
      assertThatThrownBy(() -> new Threshold(null, quantile)).isInstanceOf(BadInput.class);
    }
    assertThatThrownBy(() -> new Threshold(Double.NaN, null)).isInstanceOf(BadInput.class);
  }

  private static EideticConfig config(Threshold threshold) {
    return new EideticConfig(4, 2, Selection.INNOVATION, FarPositions.FIXED, 0, false, threshold);
  }
}
