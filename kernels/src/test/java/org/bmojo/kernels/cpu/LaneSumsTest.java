package org.bmojo.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.cpu.Lanes.LANES;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LaneSumsTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 5, 16, 63})
  void sumsEveryVector(int count) {
    int padded = Lanes.padded(count);
    float[] vectors = new float[padded * LANES], sums = new float[padded];
    for (int i = 0; i < vectors.length; i++) vectors[i] = i % 101 - 50; // sums are exact
    float[] wanted = new float[count];
    for (int k = 0; k < count; k++) {
      for (int lane = 0; lane < LANES; lane++) wanted[k] += vectors[k * LANES + lane];
    }
    LaneSums.of(vectors, count, sums);
    assertThat(Arrays.copyOf(sums, count)).isEqualTo(wanted);
  }
}
