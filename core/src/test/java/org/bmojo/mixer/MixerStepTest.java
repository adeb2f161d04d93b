package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which layers a recorded program can stand for. */
class MixerStepTest {
  @ParameterizedTest
  @ValueSource(ints = {2, 30, 32, 40, 64, 128})
  void headsThatAWarpHolds(int dim) {
    assertThat(MixerStep.unsupported(heads(dim))).isNull();
  }

  @ParameterizedTest
  @ValueSource(ints = {34, 36, 60, 132, 136, 256})
  void headsThatNoWarpHoldsAreLeftToTheModel(int dim) {
    assertThat(MixerStep.unsupported(heads(dim))).contains(Integer.toString(dim));
  }

  private static MixerConfig heads(int dim) {
    return new MixerConfig(
        null, new AttentionConfig(2, 1, dim, 16, 0, 0, false, true, 10_000, null));
  }
}
