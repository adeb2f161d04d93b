package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The published points of the recall-memory figure. */
class StateBytesTest {

  @ParameterizedTest
  @CsvSource({"32, 262528", "64, 525056", "128, 1050112"})
  void convolutionThenAttention(int d, long bytes) {
    assertThat(StateBytes.convolution(d, 3).plus(StateBytes.attention(d, 1024)).bytes())
        .isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({
    "8, 9728",
    "16, 17920",
    "32, 34304",
    "64, 67072",
    "128, 132608",
    "256, 263680",
    "512, 525824"
  })
  void convolutionThenSlidingWindow(int window, long bytes) {
    assertThat(StateBytes.convolution(128, 3).plus(StateBytes.sliding(128, window)).bytes())
        .isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({"64, 8, 8192", "64, 24, 24576", "128, 8, 16384", "128, 24, 49152", "256, 24, 98304"})
  void twoLayersOfMamba(int d, int dState, long bytes) {
    assertThat(StateBytes.mamba(d, dState).times(2).bytes()).isEqualTo(bytes);
  }

  @Test
  void basedDeltaNetAndHyena() {
    // The figure's smallest Based point, about 9.4 kB: d 48, feature 8.
    assertThat(StateBytes.convolution(48, 3).plus(StateBytes.based(1, 48, 8)).bytes())
        .isEqualTo(9396);
    assertThat(StateBytes.deltaNet(2, 64, 64).bytes()).isEqualTo(32_768);
    assertThat(StateBytes.longConvolution(64, 1024).bytes()).isEqualTo(262_144);
  }

  @Test
  void bmojoAddsItsMemories() {
    // d 128, window 32, d_state 16: 34k − convolution + 16k, and 1k per eidetic token.
    StateBytes none = StateBytes.bmojo(128, 256, 16, 32, 0, 0);
    assertThat(none.bytes()).isEqualTo(4 * (256 * 16 + 2 * 128 * 32));
    assertThat(StateBytes.bmojo(128, 256, 16, 32, 63, 0).bytes() - none.bytes())
        .isEqualTo(63 * 1024);
    assertThat(StateBytes.bmojo(128, 256, 16, 32, 0, 13).bytes() - none.bytes())
        .isEqualTo(13 * 1024);
  }

  @Test
  void bmojoKeptCountsBuffersAndBookkeeping() {
    // SSM 256·16, convolutions (256 + 128)·3, window 2·64·32, fading 2·64·(32 + 13), eidetic
    // 7·(2·64 + 2).
    assertThat(StateBytes.bmojoKept(128, 256, 16, 4, 64, 32, 7, 13).elements())
        .isEqualTo(4096 + 1152 + 4096 + 5760 + 910);
    assertThat(StateBytes.bmojoKept(128, 256, 16, 4, 64, 32, 0, 0).elements())
        .isEqualTo(4096 + 1152 + 4096);
  }

  @Test
  void sizesBelowZeroAreRefused() {
    assertThatThrownBy(() -> StateBytes.sliding(-1, 4)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> StateBytes.based(1, 4, -1)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> StateBytes.mamba(4, 4).times(-1)).isInstanceOf(BadInput.class);
  }
}
