package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PresetsTest {

  @Test
  void basedTestsSevenSettings() {
    assertThat(Presets.basedMixture(1).test())
        .extracting(s -> s.task().length() + "," + ((Mqar.Config) s.task().config()).pairs())
        .containsExactly("64,4", "64,8", "64,16", "128,32", "256,64", "512,128", "1024,256");
    assertThat(Presets.basedMixture(1).test()).allMatch(s -> s.examples() == 1_000);
    assertThat(Presets.BASED_LEARNING_RATES).isSorted();
  }

  @ParameterizedTest
  @CsvSource({"L64, 196", "L128, 196", "L256, 391", "L512, 782"})
  void zoologyTakesThePublishedSteps(Presets.Zoology setting, long stepsPerEpoch) {
    assertThat(setting.suite(1).batchesPerEpoch(setting.batch())).isEqualTo(stepsPerEpoch);
    assertThat(setting.suite(1).test().getFirst().examples()).isEqualTo(3_000);
  }

  @ParameterizedTest
  @CsvSource({
    "IN_CONTEXT_RECALL, 11",
    "NOISY_IN_CONTEXT_RECALL, 14",
    "FUZZY_IN_CONTEXT_RECALL, 11",
    "SELECTIVE_COPYING, 13",
    "COMPRESSION, 11",
    "MEMORIZATION, 6"
  })
  void madHasSixtySixSettings(Presets.Mad task, int settings) {
    assertThat(task.settings()).hasSize(settings);
    assertThat(task.settings()).extracting(Presets.Mad.Setting::change).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource(Presets.Mad.class)
  void everyMadSettingDraws(Presets.Mad task) {
    for (Presets.Mad.Setting setting : task.settings()) {
      Suite suite = setting.suite(Presets.MASTER_SEED);
      assertThat(suite.trainBatch(2, 0).labels()).isPositive();
      assertThat(suite.test().getFirst().batch(2, 0).size()).isEqualTo(2);
      assertThat(suite.test().getFirst().examples()).isEqualTo(1_280);
    }
    assertThat(task.baseline().change()).isEqualTo("baseline");
  }

  @Test
  void lengthsOfTheLongTests() {
    assertThat(Presets.PASSKEY_TEST_LENGTHS).startsWith(1024).endsWith(131_072).hasSize(8);
    assertThat(Presets.INDUCTION_TEST_LENGTHS).startsWith(64).endsWith(1_048_576).hasSize(15);
    assertThat(Presets.passkeySuite(1, 10).test()).hasSize(40);
    assertThat(Presets.inductionSuite(1, 10).test()).hasSize(15);
    assertThat(Presets.multiKey(8192, 1024).vocabulary()).isEqualTo(32 + 1024 + 64 + 1);
    assertThat(Presets.variableTracking(1024).name()).isEqualTo("variable-tracking");
  }

  /**
   * Published results name a seed: what it draws must not change unless the task's version does.
   */
  @ParameterizedTest
  @CsvSource({"mqar, 85491578", "passkey, 3441368363", "induction, 3077290090"})
  void aMasterSeedDrawsTheSameBytesForEver(String name, long sum) {
    Suite suite =
        switch (name) {
          case "mqar" -> Presets.basedMixture(Presets.MASTER_SEED);
          case "passkey" -> Presets.passkeySuite(Presets.MASTER_SEED, 10);
          default -> Presets.inductionSuite(Presets.MASTER_SEED, 10);
        };
    CRC32 crc = new CRC32();
    add(crc, suite.trainBatch(13, 3));
    add(crc, suite.test().getFirst().batch(7, 1));
    assertThat(crc.getValue()).isEqualTo(sum);
  }

  @Test
  void everyTaskDrawsTheSameBytesForEver() {
    CRC32 crc = new CRC32();
    Tasks.all().forEach(task -> add(crc, Tasks.test(task, 7)));
    Tasks.all().forEach(task -> add(crc, Tasks.train(task, 7)));
    assertThat(crc.getValue()).isEqualTo(235324200L);
  }

  private static void add(CRC32 crc, Batch batch) {
    ByteBuffer bytes = ByteBuffer.allocate(16 * batch.inputs().length);
    bytes.asLongBuffer().put(batch.inputs()).put(batch.targets());
    crc.update(bytes);
  }
}
