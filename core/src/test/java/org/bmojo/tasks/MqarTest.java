package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MqarTest {

  /** Key 1 gets the first slot drawn, at distance 2N + 2·slot. */
  @Test
  void distancesOfTheFirstKeyFollowTheSlotWeights() {
    Batch batch = Tasks.test(Presets.basedMqar(64, 4), 100_000);
    long[] slots = new long[28];
    for (int k = 0; k < batch.labels(); k++) {
      int position = batch.positions()[k] % 64;
      int shown = position - batch.distances()[k];
      if (shown == 0) {
        slots[(batch.distances()[k] - 8) / 2]++;
      }
    }
    double[] weights = PowerLawSlotsTest.weights(28, 0.01);
    assertThat(Tasks.chiSquareZ(slots, weights)).isLessThan(4);
  }

  @ParameterizedTest
  @CsvSource({"64, 4", "64, 16", "256, 64", "1024, 256"})
  void everyKeyIsAskedOnceAtAnEvenPlace(int length, int pairs) {
    Batch batch = Tasks.test(Presets.basedMqar(length, pairs), 13);
    assertThat(batch.labels()).isEqualTo(13 * pairs);
    for (int row = 0; row < 13; row++) {
      Set<Long> keys = new HashSet<>();
      Set<Long> values = new HashSet<>();
      for (int j = 0; j < pairs; j++) {
        long key = batch.inputs()[row * length + 2 * j];
        long value = batch.inputs()[row * length + 2 * j + 1];
        assertThat(key).isBetween(1L, 4095L);
        assertThat(value).isBetween(4096L, 8191L);
        keys.add(key);
        values.add(value);
      }
      assertThat(keys).hasSize(pairs);
      assertThat(values).hasSize(pairs);
      Set<Long> asked = new HashSet<>();
      for (int k = row * pairs; k < (row + 1) * pairs; k++) {
        int position = batch.positions()[k];
        int t = position % length;
        assertThat(t).isGreaterThanOrEqualTo(2 * pairs).isEven();
        asked.add(batch.inputs()[position]);
        assertThat(batch.pairs()[k]).isEqualTo(pairs);
        // 2(N − j + 1) + 2·slot with j counted from 1
        int j = (t - batch.distances()[k]) / 2 + 1;
        int slot = (t - 2 * pairs) / 2;
        assertThat(batch.distances()[k]).isEqualTo(2 * (pairs - j + 1) + 2 * slot);
      }
      assertThat(asked).isEqualTo(keys);
    }
  }

  @Test
  void fillersAreZeroOrUniformOverTheWholeVocabulary() {
    int length = 64;
    for (boolean random : new boolean[] {false, true}) {
      Batch batch = Tasks.test(new Mqar(new Mqar.Config(66, length, 4, 0.01, random, 1)), 5_000);
      long[] counts = new long[66];
      for (int i = 0; i < batch.inputs().length; i++) {
        if (i % length >= 8 && batch.targets()[i] == Batch.IGNORED) {
          counts[(int) batch.inputs()[i]]++;
        }
      }
      if (random) {
        assertThat(Tasks.uniformZ(counts)).isLessThan(4);
      } else {
        assertThat(counts[0]).isEqualTo(5_000L * 52);
      }
    }
  }

  @Test
  void passesRepeatTheBlockAndTheDistanceRunsToTheLast() {
    Batch batch = Tasks.test(new Mqar(new Mqar.Config(207, 62, 5, 0.01, true, 3)), 13);
    for (int row = 0; row < 13; row++) {
      for (int i = 0; i < 20; i++) {
        assertThat(batch.inputs()[row * 62 + i]).isEqualTo(batch.inputs()[row * 62 + i + 10]);
      }
    }
    for (int k = 0; k < batch.labels(); k++) {
      assertThat(batch.positions()[k] % 62 - batch.distances()[k]).isBetween(20, 28);
    }
  }

  @Test
  void forgettingAsksForTheLastValueAndReallyChangesIt() {
    ForgettingMqar task = new ForgettingMqar(new ForgettingMqar.Config(64, 60, 7, 4, 0.01, true));
    Batch batch = Tasks.test(task, 2_000);
    int updated = 0;
    for (int k = 0; k < batch.labels(); k++) {
      int position = batch.positions()[k];
      int row = position / 60 * 60;
      int first = row;
      while (batch.inputs()[first] != batch.inputs()[position]) {
        first += 2;
      }
      int shown = position - batch.distances()[k];
      if (shown != first) {
        updated++;
        assertThat(shown - row).isBetween(14, 20);
        assertThat(batch.inputs()[first + 1]).isNotEqualTo(batch.targets()[position]);
      }
    }
    assertThat(updated).isEqualTo(2_000 * 4);
  }

  @Test
  void forgettingDrawsNewValuesUniformlyFromTheOthers() {
    ForgettingMqar task = new ForgettingMqar(new ForgettingMqar.Config(14, 12, 1, 1, 1, false));
    Batch batch = Tasks.test(task, 70_000);
    long[] steps = new long[6]; // from the first value to the second, round the circle of seven
    for (int row = 0; row < batch.size(); row++) {
      long before = batch.inputs()[row * 12 + 1];
      long after = batch.inputs()[row * 12 + 3];
      steps[(int) Math.floorMod(after - before, 7L) - 1]++;
    }
    assertThat(Tasks.uniformZ(steps)).isLessThan(4);
  }

  @Test
  void compositionalKeysFormAGrid() {
    Batch batch =
        Tasks.test(new CompositionalMqar(new CompositionalMqar.Config(207, 62, 9, 0.01, true)), 13);
    for (int row = 0; row < 13; row++) {
      Set<Long> firsts = new HashSet<>();
      Set<Long> seconds = new HashSet<>();
      Set<Long> cells = new HashSet<>();
      for (int i = 0; i < 27; i += 3) {
        long first = batch.inputs()[row * 62 + i];
        long second = batch.inputs()[row * 62 + i + 1];
        assertThat(first).isBetween(1L, 68L);
        assertThat(second).isBetween(69L, 137L);
        assertThat(batch.inputs()[row * 62 + i + 2]).isBetween(138L, 206L);
        firsts.add(first);
        seconds.add(second);
        cells.add(1000 * first + second);
      }
      assertThat(firsts).hasSize(3);
      assertThat(seconds).hasSize(3);
      assertThat(cells).hasSize(9);
    }
  }
}
