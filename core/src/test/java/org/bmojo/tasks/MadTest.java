package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MadTest {
  private static final Task IN_CONTEXT = Presets.Mad.IN_CONTEXT_RECALL.baseline().task();
  private static final Task FUZZY = Presets.Mad.FUZZY_IN_CONTEXT_RECALL.baseline().task();

  @Test
  void trainingLabelsEveryNextToken() {
    for (Task task : new Task[] {IN_CONTEXT, FUZZY}) {
      Batch batch = Tasks.train(task, 13);
      int length = batch.length();
      assertThat(batch.labels()).isEqualTo(13 * length);
      for (int i = 0; i < batch.inputs().length; i++) {
        if (i % length < length - 1) {
          assertThat(batch.targets()[i]).isEqualTo(batch.inputs()[i + 1]);
        }
      }
    }
  }

  @Test
  void inContextTestsLabelExactlyTheKeysSeenBefore() {
    Batch batch = Tasks.test(IN_CONTEXT, 207);
    assertThat(batch.length()).isEqualTo(127);
    for (int row = 0; row < 207; row++) {
      Set<Long> seen = new HashSet<>();
      for (int t = 0; t < 127; t++) {
        long id = batch.inputs()[row * 127 + t];
        boolean labelled = batch.targets()[row * 127 + t] != Batch.IGNORED;
        assertThat(id < 8).isEqualTo(t % 2 == 0);
        assertThat(labelled).isEqualTo(t % 2 == 0 && !seen.add(id));
      }
      assertThat(batch.targets()[row * 127 + 126]).isNotEqualTo(Batch.IGNORED);
    }
  }

  @Test
  void inContextPairsAndDistancesAreThoseOfTheNearestShowing() {
    Batch batch = Tasks.test(IN_CONTEXT, 207);
    for (int k = 0; k < batch.labels(); k++) {
      int position = batch.positions()[k];
      int row = position / 127 * 127;
      int nearest = position - 2;
      while (batch.inputs()[nearest] != batch.inputs()[position]) {
        nearest -= 2;
      }
      assertThat(batch.distances()[k]).isEqualTo(position - nearest);
      Set<Long> keys = new HashSet<>();
      for (int i = row; i < position; i += 2) {
        keys.add(batch.inputs()[i]);
      }
      assertThat(batch.pairs()[k]).isEqualTo(keys.size());
    }
  }

  @Test
  void inContextKeysAndValuesAreUniform() {
    Batch batch = Tasks.test(IN_CONTEXT, 5_000);
    long[] keys = new long[8];
    long[] values = new long[8];
    for (int row = 0; row < 5_000; row++) {
      values[(int) batch.inputs()[row * 127 + 1] - 8]++;
      for (int t = 0; t < 126; t += 2) {
        keys[(int) batch.inputs()[row * 127 + t]]++;
      }
    }
    assertThat(Tasks.uniformZ(keys)).isLessThan(4);
    assertThat(Tasks.uniformZ(values)).isLessThan(4);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.2, 0.8})
  void noiseHitsPairsWithItsProbabilityButNeverAll(double noise) {
    Task task = new InContextRecall(new InContextRecall.Config(32, 128, 16, noise, true));
    Batch batch = Tasks.test(task, 5_000);
    long noisy = 0;
    long[] ids = new long[16];
    for (int row = 0; row < 5_000; row++) {
      int inRow = 0;
      for (int t = 0; t < 126; t += 2) {
        int first = (int) batch.inputs()[row * 127 + t];
        int second = (int) batch.inputs()[row * 127 + t + 1];
        assertThat(first >= 16).isEqualTo(second >= 16);
        if (first >= 16) {
          inRow++;
          ids[first - 16]++;
          ids[second - 16]++;
        }
      }
      assertThat(inRow).isLessThan(63);
      noisy += inRow;
    }
    double mean = 5_000 * 62 * noise; // one of the 63 slots is reserved
    assertThat(noisy)
        .isBetween((long) (mean - 4 * Math.sqrt(mean)), (long) (mean + 4 * Math.sqrt(mean)));
    assertThat(Tasks.uniformZ(ids)).isLessThan(4);
  }

  @Test
  void singleQueryLabelsOnlyTheLastValueAfterTheCopyToken() {
    Task task = new InContextRecall(new InContextRecall.Config(17, 62, 0, 0, false));
    Batch batch = Tasks.test(task, 13);
    assertThat(batch.length()).isEqualTo(62);
    assertThat(batch.labels()).isEqualTo(13);
    for (int row = 0; row < 13; row++) {
      assertThat(batch.positions()[row]).isEqualTo(row * 62 + 61);
      assertThat(batch.inputs()[row * 62 + 60]).isEqualTo(16);
    }
  }

  @Test
  void fuzzyMotifsAreDistinctAndOfTheLengthsAsked() {
    for (Split split : Split.values()) {
      Batch batch = split == Split.TRAIN ? Tasks.train(FUZZY, 2_000) : Tasks.test(FUZZY, 2_000);
      long[] keyLengths = new long[4];
      long[] valueLengths = new long[4];
      for (int row = 0; row < 2_000; row++) {
        long[] tokens = Arrays.copyOfRange(batch.inputs(), row * 128, (row + 1) * 128);
        int t = 0;
        while (tokens[t] == 15) {
          t++;
        }
        // The first pair only: how many fit depends on their lengths.
        int key = t;
        while (tokens[t] < 7) {
          t++;
        }
        int value = t;
        while (tokens[t] >= 7) {
          assertThat(tokens[t]).isLessThan(15);
          t++;
        }
        assertThat(Arrays.stream(tokens, key, t).distinct().count()).isEqualTo(t - key);
        keyLengths[value - key]++;
        valueLengths[t - value]++;
      }
      if (split == Split.TRAIN) {
        assertThat(Tasks.uniformZ(Arrays.copyOfRange(keyLengths, 1, 4))).isLessThan(4);
      } else {
        assertThat(keyLengths).containsExactly(0, 0, 0, 2_000);
      }
      assertThat(Tasks.uniformZ(Arrays.copyOfRange(valueLengths, 1, 4))).isLessThan(4);
    }
  }

  @Test
  void fuzzyTestsNearlyAlwaysAskForTheProbe() {
    Batch batch = Tasks.test(FUZZY, 5_000);
    int asked = 0;
    for (int row = 0; row < 5_000; row++) {
      // The last position's target is the last token of the probe's value.
      asked += batch.targets()[row * 128 + 127] != Batch.IGNORED ? 1 : 0;
    }
    assertThat(asked).isBetween(4_600, 4_990);
  }

  @Test
  void selectiveCopyingScattersBlanksIndependently() {
    int m = 4;
    Batch batch = Tasks.test(new SelectiveCopying(new SelectiveCopying.Config(13, 17, m)), 20_000);
    // Eight blanks over four gaps, so blanks before the first token are binomial(8, 1/4).
    long[] before = new long[9];
    double[] binomial = new double[9];
    for (int k = 0; k <= 8; k++) {
      binomial[k] = Math.pow(0.25, k) * Math.pow(0.75, 8 - k);
      for (int i = 0; i < k; i++) {
        binomial[k] *= (8.0 - i) / (i + 1);
      }
    }
    for (int row = 0; row < batch.size(); row++) {
      int blanks = 0;
      while (batch.inputs()[row * 17 + blanks] == 11) {
        blanks++;
      }
      before[blanks]++;
      assertThat(batch.inputs()[row * 17 + 11]).isLessThan(11); // content stands before the copy
      assertThat(batch.inputs()[row * 17 + 12]).isEqualTo(12);
    }
    long[] pooled = Arrays.copyOf(before, 7);
    double[] expected = Arrays.copyOf(binomial, 7);
    pooled[6] += before[7] + before[8];
    expected[6] += binomial[7] + binomial[8];
    assertThat(Tasks.chiSquareZ(pooled, expected)).isLessThan(4);
    assertThat(batch.labels()).isEqualTo(20_000 * m);
  }

  @Test
  void compressionWantsItsInputsBackAndEndsWithTheAggregationToken() {
    Batch batch = Tasks.test(Presets.Mad.COMPRESSION.baseline().task(), 63);
    assertThat(batch.targets()).isEqualTo(batch.inputs());
    for (int i = 0; i < batch.inputs().length; i++) {
      assertThat(batch.inputs()[i] == 15).isEqualTo(i % 32 == 31);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 257, 2048, 8192})
  void memorizationHoldsOneMapForTrainingAndTests(int vocabulary) {
    Memorization task = new Memorization(new Memorization.Config(vocabulary, 32));
    Map<Long, Long> learnt = learn(Tasks.train(task, 256));
    Batch test = new Segment(task, Split.TEST, Split.TEST.firstSeed(), 256).batch(256, 0);
    int known = 0;
    for (Map.Entry<Long, Long> pair : learn(test).entrySet()) {
      Long value = learnt.get(pair.getKey());
      if (value != null) {
        assertThat(value).isEqualTo(pair.getValue());
        known++;
      }
    }
    assertThat(known).isPositive();
    assertThat(learnt.values()).doesNotHaveDuplicates();
    // 4,096 draws of (V − 1)/2 keys: the share never drawn is exp(−4096 / keys).
    int keys = (vocabulary - 1) / 2;
    double share = 1 - Math.exp(-4096.0 / keys);
    assertThat((double) learnt.size() / keys).isBetween(share - 0.02, share + 0.02);
  }

  @Test
  void memorizationHasTheSameMapAtEveryLength() {
    Map<Long, Long> one =
        learn(Tasks.train(new Memorization(new Memorization.Config(63, 32)), 207));
    Map<Long, Long> other =
        learn(Tasks.test(new Memorization(new Memorization.Config(63, 62)), 207));
    assertThat(one).hasSize(31).isEqualTo(other);
  }

  private static Map<Long, Long> learn(Batch batch) {
    Map<Long, Long> map = new HashMap<>();
    for (int i = 0; i < batch.inputs().length; i += 2) {
      assertThat(batch.targets()[i]).isEqualTo(Batch.IGNORED);
      Long before = map.put(batch.inputs()[i], batch.targets()[i + 1]);
      if (before != null) {
        assertThat(before).isEqualTo(batch.targets()[i + 1]);
      }
    }
    return map;
  }
}
