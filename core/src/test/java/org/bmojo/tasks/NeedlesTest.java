package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NeedlesTest {

  @Test
  void passkeyDepthIsUniform() {
    // 63 positions: 3 for the needle, 2 for the question, so 59 places.
    Task task = new Passkey(new Passkey.Config(63, 4, 0.1, 3, 10, 1, 1, Passkey.ANY_DEPTH));
    Batch batch = Tasks.test(task, 59_000);
    long[] places = new long[59];
    for (int distance : batch.distances()) {
      places[61 - distance]++;
    }
    assertThat(Tasks.uniformZ(places)).isLessThan(4);
  }

  @Test
  void everyScaleIsUniformInPlaceOrInScale() {
    // 67 positions: 3 for the needle, 2 for the question, so 0 … 62 fillers behind.
    Task task = new Passkey(new Passkey.Config(67, 4, 0.1, 3, 10, 1, 1, Passkey.EVERY_SCALE));
    int n = 60_000;
    double[] octaves = new double[6];
    for (int distance : Tasks.test(task, n).distances()) {
      int places = distance - 2; // 1 + fillers behind
      octaves[31 - Integer.numberOfLeadingZeros(places)]++;
    }
    for (int i = 0; i < 6; i++) {
      double inScale = Math.log(Math.min(63, 2 << i) / (double) (1 << i)) / Math.log(63);
      double inPlace = (1 << i) / 63.;
      double expected = n * (inScale + inPlace) / 2;
      assertThat(octaves[i]).as("octave %d", i).isCloseTo(expected, withinPercentage(5.));
    }
  }

  /** Half of the examples have the length they always had, the others one of 3 … 65. */
  @Test
  void inductionAtEveryScaleEndsAtLengthsOfEveryScale() {
    Task task = new InductionHeads(new InductionHeads.Config(16, 65, true));
    int n = 60_000;
    Batch batch = Tasks.train(task, n);
    assertThat(batch.labels()).isEqualTo(n); // one question each
    long[] lengths = new long[63]; // from 3 on
    long[] places = new long[63]; // of the trigger in examples of the full length
    for (int i = 0; i < n; i++) {
      int end = batch.positions()[i] % 65;
      lengths[end + 1 - 3]++;
      if (end == 64) places[end - batch.distances()[i]]++;
    }
    double[] expected = new double[63];
    for (int k = 1; k <= 63; k++) expected[k - 1] = Math.log((k + 1.) / k) / Math.log(64) / 2;
    expected[62] += 0.5;
    assertThat(Tasks.chiSquareZ(lengths, expected)).isLessThan(4);
    assertThat(Tasks.uniformZ(places)).isLessThan(4);
  }

  /** The option draws nothing where it is off: old examples stay what they were. */
  @Test
  void inductionAsPublishedIsAskedAtTheEnd() {
    Batch batch = Tasks.train(new InductionHeads(new InductionHeads.Config(16, 63)), 207);
    for (int i = 0; i < 207; i++) assertThat(batch.positions()[i]).isEqualTo(63 * i + 62);
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "0.25, 256", "0.5, 511", "1, 1021"})
  void fixedDepthPutsTheAskedNeedleThere(double depth, int key) {
    Batch batch = Tasks.test(Presets.passkey(1033, depth), 13); // 1033 − 7 − 6 = 1020 fillers
    assertThat(batch.labels()).isEqualTo(13 * 5);
    for (int distance : batch.distances()) {
      assertThat(distance).isEqualTo(1033 - 5 - key);
    }
  }

  @Test
  void everyNeedleIsLikelyToBeAskedEvenWhenTheyFillEverything() {
    Task task = new Passkey(new Passkey.Config(23, 4, 0, 7, 10, 1, 7, Passkey.ANY_DEPTH));
    Batch batch = Tasks.test(task, 20_000);
    long[] asked = new long[7];
    for (int distance : batch.distances()) {
      asked[(21 - distance) / 3]++;
    }
    assertThat(Tasks.uniformZ(asked)).isLessThan(4);
  }

  @Test
  void fillerIsAsPredictableAsConfigured() {
    int words = 8;
    Task task = new Passkey(new Passkey.Config(1000, words, 0.25, 3, 10, 1, 1, 1));
    Batch batch = Tasks.test(task, 100);
    long expected = 0;
    long all = 0;
    for (int row = 0; row < 100; row++) {
      for (int t = 1; t < 995; t++) {
        long before = batch.inputs()[row * 1000 + t - 1];
        expected += batch.inputs()[row * 1000 + t] == (before + 1) % words ? 1 : 0;
        all++;
      }
    }
    // A jump lands on the next word one time in eight.
    assertThat((double) expected / all).isBetween(0.775, 0.787);
  }

  @Test
  void haystackAsksForEveryPairAlike() {
    Batch batch = Tasks.test(new NeedleHaystack(new NeedleHaystack.Config(64, 27)), 26_000);
    long[] asked = new long[13];
    for (int distance : batch.distances()) {
      asked[13 - distance / 2]++;
    }
    assertThat(Tasks.uniformZ(asked)).isLessThan(4);
    assertThat(Presets.needleHaystack(4095).length()).isEqualTo(8191);
  }

  @Test
  void variableTrackingAsksAlikeForEveryNumberOfLookups() {
    Task task = new VariableTracking(new VariableTracking.Config(207, 13, 0.1, 63, 7, 3, 4, 1));
    Batch batch = Tasks.test(task, 20_000);
    long[] lookups = new long[5];
    for (int k = 0; k < batch.labels(); k++) {
      lookups[batch.lookups()[k] - 1]++;
      assertThat(batch.pairs()[k]).isEqualTo(15);
    }
    assertThat(Tasks.uniformZ(lookups)).isLessThan(4);
  }

  @Test
  void variableTrackingCountsLookupsAsAReaderWould() {
    Task task = new VariableTracking(new VariableTracking.Config(63, 5, 0.1, 20, 7, 2, 3, 8));
    int let = 5 + 20 + 7;
    Batch batch = Tasks.test(task, 63);
    for (int k = 0; k < batch.labels(); k++) {
      int row = batch.positions()[k] / 63 * 63;
      long name = batch.inputs()[batch.positions()[k]];
      int lookups = 0;
      int at = -1;
      while (name < 25) {
        at = row;
        while (batch.inputs()[at] != let || batch.inputs()[at + 1] != name) {
          at++;
        }
        name = batch.inputs()[at + 2];
        lookups++;
      }
      assertThat(batch.lookups()[k]).isEqualTo(lookups);
      assertThat(batch.distances()[k]).isEqualTo(batch.positions()[k] - at - 1);
    }
  }

  @Test
  void variableTrackingInterleavesItsChainsInEveryWayAlike() {
    // Two chains of two links, no filler: links at 0, 3, 6 and 9, six interleavings by the places
    // of the links that name another name; the first chain's own name decides which is which.
    Task task = new VariableTracking(new VariableTracking.Config(14, 1, 0, 50, 50, 2, 1, 1));
    Batch batch = Tasks.test(task, 30_000);
    long[] interleavings = new long[3];
    for (int row = 0; row < batch.size(); row++) {
      int second = row * 14 + 3;
      int third = row * 14 + 6;
      if (batch.inputs()[second + 2] < 51) {
        interleavings[0]++; // the first chain is complete before the other begins
      } else {
        interleavings[batch.inputs()[third + 2] == batch.inputs()[row * 14 + 1] ? 1 : 2]++;
      }
    }
    assertThat(Tasks.uniformZ(interleavings)).isLessThan(4);
  }

  @Test
  void inductionPlacesTheTriggerUniformlyAndOnceBeforeTheEnd() {
    Batch batch = Tasks.test(Presets.inductionHeads(15), 26_000);
    long[] places = new long[13];
    long[] answers = new long[15];
    for (int row = 0; row < batch.size(); row++) {
      places[14 - batch.distances()[row]]++;
      answers[(int) batch.targets()[batch.positions()[row]]]++;
      int triggers = 0;
      for (int t = 0; t < 15; t++) {
        triggers += batch.inputs()[row * 15 + t] == 15 ? 1 : 0;
      }
      assertThat(triggers).isEqualTo(2);
    }
    assertThat(Tasks.uniformZ(places)).isLessThan(4);
    assertThat(Tasks.uniformZ(answers)).isLessThan(4);
  }

  @Test
  void inductionReachesAMillionTokens() {
    Task task = Presets.inductionHeads(1 << 20);
    Batch batch = Tasks.test(task, 2);
    assertThat(batch.inputs()).hasSize(2 << 20);
    assertThat(batch.positions()).containsExactly((1 << 20) - 1, (2 << 20) - 1);
    assertThat(Solver.solve(task, batch))
        .containsExactly(
            batch.targets()[batch.positions()[0]], batch.targets()[batch.positions()[1]]);
  }
}
