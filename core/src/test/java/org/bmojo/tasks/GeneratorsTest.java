package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The generators against the words of the papers, by ways of drawing that are not their own. */
class GeneratorsTest {
  static Stream<Task> publishedTasks() {
    List<Task> tasks = new ArrayList<>(List.of(Presets.basedMqar(64, 4)));
    for (Presets.Mad mad : Presets.Mad.values()) tasks.add(mad.baseline().task());
    tasks.add(Presets.passkey(256, Passkey.ANY_DEPTH));
    tasks.add(Presets.multiKey(256, 13));
    tasks.add(Presets.needleHaystack(32));
    tasks.add(Presets.variableTracking(256));
    tasks.add(Presets.inductionHeads(63));
    return tasks.stream();
  }

  /** No test example was trained on, and none comes twice. */
  @ParameterizedTest
  @MethodSource("publishedTasks")
  void trainingAndTestsShareNoExample(Task task) {
    Suite suite =
        Suite.of(
            "disjoint",
            3,
            List.of(new Suite.Part(task, 1_000), new Suite.Part(task, 1_000)),
            List.of(new Suite.Part(task, 1_000)));
    Set<Integer> seen = new HashSet<>();
    int collisions = 0;
    for (Segment segment :
        List.of(suite.train().get(0), suite.train().get(1), suite.test().get(0))) {
      Batch batch = segment.batch(1_000, 0);
      for (int row = 0; row < 1_000; row++) {
        long[] inputs =
            Arrays.copyOfRange(batch.inputs(), row * batch.length(), (row + 1) * batch.length());
        if (!seen.add(Arrays.hashCode(inputs))) collisions++;
      }
    }
    // 3,000 hashes of 32 bits: one collision in a thousand runs is chance, a second is not.
    assertThat(collisions).isLessThan(2);
  }

  /** Where query j comes, for every j, as a sampler with exponential clocks draws it. */
  @ParameterizedTest
  @CsvSource({"64, 8", "256, 16"})
  void everyQuerysPlaceIsThatOfWeightedDrawsWithoutReplacement(int length, int pairs) {
    int examples = 20_000, slots = (length - 2 * pairs) / 2;
    Batch batch = Tasks.test(Presets.basedMqar(length, pairs), examples);
    double[] mean = new double[pairs];
    for (int k = 0; k < batch.labels(); k++) {
      int t = batch.positions()[k] % length;
      int j = (t - batch.distances()[k]) / 2;
      mean[j] += (t - 2.0 * pairs) / 2 / examples;
    }
    double[] expected = new double[pairs];
    double[] square = new double[pairs];
    SplittableRandom random = new SplittableRandom(5);
    for (int n = 0; n < examples; n++) {
      // The slot whose clock rings first is drawn first.
      double[][] clocks = new double[slots][];
      for (int i = 0; i < slots; i++) {
        clocks[i] = new double[] {random.nextExponential() * Math.pow(i + 1, 0.99), i};
      }
      Arrays.sort(clocks, (a, b) -> Double.compare(a[0], b[0]));
      for (int j = 0; j < pairs; j++) {
        expected[j] += clocks[j][1] / examples;
        square[j] += clocks[j][1] * clocks[j][1] / examples;
      }
    }
    for (int j = 0; j < pairs; j++) {
      double error = Math.sqrt(2 * (square[j] - expected[j] * expected[j]) / examples);
      assertThat(Math.abs(mean[j] - expected[j])).isLessThan(4.5 * error);
    }
    assertThat(expected[pairs - 1]).isGreaterThan(expected[0] + 3); // so that order matters
  }

  /** Keys and values are uniform over their ranges and independent of each other. */
  @Test
  void mqarsPairsAreUniformAndIndependent() {
    Batch batch = Tasks.test(new Mqar(new Mqar.Config(20, 16, 3, 0.01, true, 1)), 30_000);
    long[] keys = new long[9];
    long[] values = new long[10];
    long[] joint = new long[90];
    for (int row = 0; row < batch.size(); row++) {
      for (int j = 0; j < 3; j++) {
        int key = (int) batch.inputs()[row * 16 + 2 * j] - 1;
        int value = (int) batch.inputs()[row * 16 + 2 * j + 1] - 10;
        keys[key]++;
        values[value]++;
        joint[10 * key + value]++;
      }
    }
    assertThat(Tasks.uniformZ(keys)).isLessThan(4);
    assertThat(Tasks.uniformZ(values)).isLessThan(4);
    assertThat(Tasks.uniformZ(joint)).isLessThan(4);
  }

  /** Five of the seven Based settings ask in every slot, in uniformly random order of keys. */
  @Test
  void denseMqarAsksInEverySlot() {
    Batch batch = Tasks.test(Presets.basedMqar(64, 16), 2_000);
    for (int k = 0; k < batch.labels(); k++) {
      assertThat(batch.positions()[k] % 64).isEqualTo(32 + 2 * (k % 16));
    }
  }

  /** The probe is uniform over the keys shown, however often each was shown. */
  @Test
  void inContextProbesAreUniformOverKeysNotShowings() {
    Task task = new InContextRecall(new InContextRecall.Config(6, 14, 0, 0, true));
    Batch batch = Tasks.test(task, 40_000);
    long[] probes = new long[2]; // the key shown more often, or the one shown less
    for (int row = 0; row < batch.size(); row++) {
      int[] shown = new int[3];
      for (int t = 0; t < 12; t += 2) shown[(int) batch.inputs()[row * 13 + t]]++;
      int probe = (int) batch.inputs()[row * 13 + 12];
      int[] present = Arrays.stream(shown).filter(n -> n > 0).toArray();
      if (present.length != 2 || present[0] == present[1]) continue;
      probes[shown[probe] == Math.max(present[0], present[1]) ? 0 : 1]++;
    }
    assertThat(probes[0] + probes[1]).isGreaterThan(1_000);
    assertThat(Tasks.uniformZ(probes)).isLessThan(4);
  }

  /** Values are drawn anew for every example, and with replacement: keys may share one. */
  @Test
  void inContextKeysMayShareAValue() {
    Batch batch = Tasks.test(Presets.Mad.IN_CONTEXT_RECALL.baseline().task(), 2_000);
    long[] distinct = new long[9];
    for (int row = 0; row < batch.size(); row++) {
      Map<Long, Long> map = new HashMap<>();
      for (int t = 0; t < 126; t += 2) {
        Long before = map.put(batch.inputs()[row * 127 + t], batch.inputs()[row * 127 + t + 1]);
        if (before != null) assertThat(before).isEqualTo(batch.inputs()[row * 127 + t + 1]);
      }
      distinct[(int) map.values().stream().distinct().count()]++;
    }
    // Eight keys, eight values: all different in 8!/8⁸ = 0.24 % of the examples.
    assertThat(distinct[8]).isLessThan(20);
    assertThat(distinct[5] + distinct[6]).isGreaterThan(1_300);
  }

  /** Pairs go on until fewer than probe + 6 tokens are left, which leaves two to seven pads. */
  @Test
  void fuzzyRecallIsFilledUpToAFewPads() {
    for (Split split : Split.values()) {
      Task task = Presets.Mad.FUZZY_IN_CONTEXT_RECALL.baseline().task();
      Batch batch = split == Split.TRAIN ? Tasks.train(task, 5_000) : Tasks.test(task, 5_000);
      long[] pads = new long[8];
      for (int row = 0; row < batch.size(); row++) {
        int t = 0;
        while (batch.inputs()[row * 128 + t] == 15) t++;
        assertThat(t).isBetween(2, 7);
        pads[t]++;
        for (; t < 128; t++) assertThat(batch.inputs()[row * 128 + t]).isLessThan(15);
      }
      for (int n = 2; n <= 7; n++) assertThat(pads[n]).isPositive();
    }
  }

  @Test
  void copiedAndCompressedTokensAreUniform() {
    Batch copying = Tasks.test(Presets.Mad.SELECTIVE_COPYING.baseline().task(), 2_000);
    long[] content = new long[14];
    for (int k = 0; k < copying.labels(); k++) {
      assertThat(copying.positions()[k] % 256).isEqualTo(240 + k % 16);
      assertThat(copying.inputs()[copying.positions()[k]]).isEqualTo(14);
      content[(int) copying.targets()[copying.positions()[k]]]++;
    }
    assertThat(Tasks.uniformZ(content)).isLessThan(4);

    Batch compression = Tasks.test(Presets.Mad.COMPRESSION.baseline().task(), 2_000);
    long[] tokens = new long[15];
    for (int i = 0; i < compression.inputs().length; i++) {
      if (i % 32 != 31) tokens[(int) compression.inputs()[i]]++;
    }
    assertThat(Tasks.uniformZ(tokens)).isLessThan(4);
  }

  /** The asked needle's key, digits and depth say nothing about each other. */
  @Test
  void passkeysAreUniformOverKeysAndDigits() {
    Batch batch = Tasks.test(Presets.passkey(128, Passkey.ANY_DEPTH), 10_000);
    long[] keys = new long[64];
    long[] digits = new long[10];
    for (int k = 0; k < batch.labels(); k++) {
      int position = batch.positions()[k];
      digits[(int) batch.targets()[position] - 96]++;
      if (k % 5 == 0) keys[(int) batch.inputs()[position] - 32]++;
    }
    assertThat(Tasks.uniformZ(keys)).isLessThan(4);
    assertThat(Tasks.uniformZ(digits)).isLessThan(4);
  }

  /** Every needle has a key of its own, and none but the needles bears key, digit or marker. */
  @Test
  void needlesAreOnlyWhereTheyAreMarked() {
    int needles = 13;
    Batch batch = Tasks.test(Presets.multiKey(256, needles), 207);
    int marker = 32 + 1024 + 64;
    for (int row = 0; row < batch.size(); row++) {
      Set<Long> keys = new HashSet<>();
      int markers = 0;
      for (int t = 0; t < 256; t++) {
        long id = batch.inputs()[row * 256 + t];
        if (id == marker) {
          markers++;
          keys.add(batch.inputs()[row * 256 + t + 1]);
        }
        boolean inNeedle = t > 0 && batch.inputs()[row * 256 + t - 1] >= 32;
        if (id >= 32 && id < marker) assertThat(inNeedle).isTrue();
      }
      assertThat(markers).isEqualTo(needles + 1); // and the question
      assertThat(keys).hasSize(needles);
    }
  }
}
