package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TaskChoiceTest {
  /** MAD's tasks in their own sizes are its baselines. */
  @ParameterizedTest
  @EnumSource(Presets.Mad.class)
  void madsOwnSizesAreItsBaselines(Presets.Mad mad) {
    Suite published = mad.baseline().suite(1);
    Suite own = TaskChoice.of(TaskKind.valueOf(mad.name())).suite(1);
    assertThat(own.train().getFirst().task().config())
        .isEqualTo(published.train().getFirst().task().config());
    assertThat(own.train().getFirst().examples())
        .isEqualTo(published.train().getFirst().examples());
    assertThat(own.test().getFirst().examples()).isEqualTo(1_280);
  }

  @ParameterizedTest
  @EnumSource
  void everyKindDrawsAndIsFoundByItsName(TaskKind kind) {
    assertThat(TaskKind.named(kind.label())).isEqualTo(kind);
    Suite suite = TaskChoice.of(kind).suite(7);
    assertThat(suite.trainBatch(3, 0).labels()).isPositive();
    assertThat(suite.test().getFirst().batch(3, 0).labels()).isPositive();
    assertThat(suite.trainBatch(3, 0).inputs())
        .isNotEqualTo(TaskChoice.of(kind).suite(8).trainBatch(3, 0).inputs());
  }

  @Test
  void testsAreEveryLengthWithEveryNumberOfPairs() {
    TaskChoice choice =
        new TaskChoice(
            TaskKind.MQAR,
            64,
            4,
            8192,
            null,
            0.01,
            true,
            207L,
            null,
            List.of(64, 256),
            List.of(4, 13),
            null,
            null);
    Suite suite = choice.suite(1);
    assertThat(suite.train().getFirst().examples()).isEqualTo(207);
    assertThat(suite.test())
        .extracting(s -> s.task().config())
        .containsExactly(
            new Mqar.Config(8192, 64, 4, 0.01, true, 1),
            new Mqar.Config(8192, 64, 13, 0.01, true, 1),
            new Mqar.Config(8192, 256, 4, 0.01, true, 1),
            new Mqar.Config(8192, 256, 13, 0.01, true, 1));
  }

  /** Of long examples there are fewer, unless somebody says how many. */
  @Test
  void longTestsAreFew() {
    TaskChoice choice =
        new TaskChoice(
            TaskKind.INDUCTION,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            List.of(63, 1 << 14, 1 << 20),
            null,
            null,
            null);
    assertThat(choice.suite(1).test()).extracting(Segment::examples).containsExactly(256L, 64L, 8L);
  }

  /** Only training: questions stay where they are asked for. */
  @Test
  void everyScaleIsOfTheTraining() {
    TaskChoice choice =
        new TaskChoice(
            TaskKind.PASSKEY,
            63,
            null,
            null,
            null,
            null,
            null,
            null,
            true,
            List.of(207),
            null,
            List.of(0., 1.),
            13);
    Suite suite = choice.suite(1);
    assertThat(suite.train().getFirst().task().config())
        .isEqualTo(Presets.passkey(63, Passkey.EVERY_SCALE).config());
    assertThat(suite.test())
        .extracting(s -> s.task().config())
        .containsExactly(Presets.passkey(207, 0).config(), Presets.passkey(207, 1).config());
  }

  @Test
  void inductionAtEveryScaleIsAskedAsEver() {
    TaskChoice choice =
        new TaskChoice(
            TaskKind.INDUCTION,
            63,
            null,
            null,
            null,
            null,
            null,
            null,
            true,
            List.of(13, 207),
            null,
            null,
            13);
    Suite suite = choice.suite(1);
    assertThat(suite.train().getFirst().task().config())
        .isEqualTo(new InductionHeads.Config(16, 63, true));
    assertThat(suite.test())
        .extracting(s -> s.task().config())
        .containsExactly(new InductionHeads.Config(16, 13), new InductionHeads.Config(16, 207));
  }

  @Test
  void whatATaskDoesNotHaveIsRefused() {
    assertThatThrownBy(() ->
            new TaskChoice(
                TaskKind.PASSKEY,
                null,
                3,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("pairs 3 for passkey");
    assertThatThrownBy(() -> TaskKind.named("mkar"))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("task mkar", "mqar-forgetting");
    assertThatThrownBy(() ->
            new TaskChoice(
                    TaskKind.MQAR_ZOOLOGY,
                    63,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null)
                .suite(1))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("64, 128, 256, 512");
  }
}
