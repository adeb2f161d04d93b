package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PowerLawSlotsTest {
  private static final int DRAWS = 200_000;

  @ParameterizedTest
  @CsvSource({"28, 0.01", "13, 0.01", "13, 1", "63, 0.5", "2, 0.01"})
  void firstAndSecondDrawFollowTheExactWeights(int space, double power) {
    double[] first = weights(space, power);
    double[] second = new double[space]; // P(j) = Σ over i ≠ j of p_i · p_j / (1 − p_i)
    for (int i = 0; i < space; i++) {
      for (int j = 0; j < space; j++) {
        second[j] += i == j ? 0 : first[i] * first[j] / (1 - first[i]);
      }
    }
    PowerLawSlots slots = new PowerLawSlots(space, power);
    RandomGenerator random = Draw.random(3, space);
    long[][] counts = new long[2][space];
    for (int n = 0; n < DRAWS; n++) {
      int[] drawn = slots.draw(random, 2);
      counts[0][drawn[0]]++;
      counts[1][drawn[1]]++;
    }
    assertThat(Tasks.chiSquareZ(counts[0], first)).isLessThan(4);
    assertThat(Tasks.chiSquareZ(counts[1], second)).isLessThan(4);
    if (power < 0.5 && space > 2) {
      // The test can tell neighbouring powers and the draws apart.
      assertThat(Tasks.chiSquareZ(counts[0], weights(space, power + 0.05))).isGreaterThan(10);
      assertThat(Tasks.chiSquareZ(counts[1], first)).isGreaterThan(10);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 13, 63, 64, 207})
  void drawingAllTakesEverySlotOnce(int space) {
    PowerLawSlots slots = new PowerLawSlots(space, 0.01);
    for (int seed = 0; seed < 20; seed++) {
      int[] drawn = slots.draw(Draw.random(seed, 0), space);
      Arrays.sort(drawn);
      assertThat(drawn).isEqualTo(IntStream.range(0, space).toArray());
    }
  }

  @ParameterizedTest
  @CsvSource({"7, 7", "7, 3", "130, 1", "64, 2"})
  void distinctIdsAreUniformInEveryPlace(int pool, int n) {
    RandomGenerator random = Draw.random(5, pool);
    long[][] counts = new long[n][pool];
    for (int i = 0; i < 100_000; i++) {
      int[] ids = Draw.distinct(random, 10, 10 + pool, n);
      assertThat(Arrays.stream(ids).distinct().count()).isEqualTo(n);
      for (int place = 0; place < n; place++) {
        counts[place][ids[place] - 10]++;
      }
    }
    for (long[] place : counts) {
      assertThat(Tasks.uniformZ(place)).isLessThan(4.5);
    }
  }

  static double[] weights(int space, double power) {
    double[] p = IntStream.range(0, space).mapToDouble(i -> Math.pow(i + 1, power - 1)).toArray();
    double sum = Arrays.stream(p).sum();
    return Arrays.stream(p).map(w -> w / sum).toArray();
  }
}
