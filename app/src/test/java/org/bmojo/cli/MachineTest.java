package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.bmojo.model.Placement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MachineTest {
  @ParameterizedTest
  @CsvSource({
    "NVIDIA H100 80GB HBM3, 989",
    "NVIDIA H100 PCIe, 756",
    "NVIDIA H200, 989",
    "NVIDIA A100-SXM4-40GB, 312",
    "NVIDIA A10G, 70",
    "NVIDIA A10, 125",
    "NVIDIA GeForce RTX 4090, 165"
  })
  void peaksGoByName(String name, double teraflops) {
    assertThat(Machine.peak(name)).isEqualTo(teraflops * 1e12);
  }

  @Test
  void othersHaveNone() {
    assertThat(Machine.peak("NVIDIA A1000")).isNull();
    assertThat(Machine.of(Placement.CPU).peak()).isNull();
    assertThat(Machine.of(Placement.CPU).freeBytes()).isBetween(1L << 20, 1L << 50);
  }

  /** 130M parameters at 500,000 tokens/s on 989 TFLOP/s. */
  @Test
  void theShareIsOfSixOperationsAParameter() {
    Pace pace = new Pace(130_000_000, 989e12);
    for (int i = 0; i < 13; i++) pace.update(50_000, 0.1);
    assertThat(pace.tokensPerSecond()).isCloseTo(500_000, within(1.0));
    assertThat(pace.utilisation()).isCloseTo(6 * 130e6 * 5e5 / 989e12, within(1e-9));
    assertThat(pace.remaining(63_000_000)).isCloseTo(126, within(0.1));
    assertThat(pace.words(2.5, 63_000_000))
        .isEqualTo("loss 2.500, 500000 tokens/s, MFU 39 %, 2:06 left");
    assertThat(new Pace(13, null).words(1, 0)).doesNotContain("MFU");
    assertThat(Pace.clock(3723)).isEqualTo("1:02:03");
  }
}
