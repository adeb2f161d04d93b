package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every task. */
class TaskContractTest {

  @ParameterizedTest
  @MethodSource("org.bmojo.tasks.Tasks#answerable")
  void testsAreAnsweredFromTheInputsAlone(Task task) {
    Batch batch = Tasks.test(task, 207);
    assertThat(batch.labels()).isPositive();
    assertThat(Solver.solve(task, batch)).isEqualTo(wanted(batch));
  }

  @ParameterizedTest
  @MethodSource("org.bmojo.tasks.Tasks#answerable")
  void theAnswerStandsRightAfterThePositionTheDistancePointsTo(Task task) {
    Batch batch = Tasks.test(task, 63);
    for (int k = 0; k < batch.labels(); k++) {
      int position = batch.positions()[k];
      int distance = batch.distances()[k];
      int key = position - distance;
      if (task instanceof Compression) {
        assertThat((position + distance) % task.length()).isEqualTo(task.length() - 1);
      } else if (task instanceof SelectiveCopying) {
        assertThat(batch.inputs()[key + 1]).isEqualTo(batch.targets()[position]);
      } else {
        assertThat(distance).isPositive();
        assertThat(key).isGreaterThanOrEqualTo(position / task.length() * task.length());
        assertThat(batch.inputs()[key + 1]).isEqualTo(batch.targets()[position]);
        if (!(task instanceof VariableTracking)) {
          assertThat(batch.inputs()[key]).isEqualTo(batch.inputs()[position]);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.bmojo.tasks.Tasks#all")
  void idsStayInsideTheVocabularyAndLabelsMatchTargets(Task task) {
    for (Split split : Split.values()) {
      Batch batch = split == Split.TRAIN ? Tasks.train(task, 13) : Tasks.test(task, 13);
      assertThat(batch.inputs()).hasSize(13 * task.length());
      assertThat(batch.targets()).hasSize(13 * task.length());
      for (long id : batch.inputs()) {
        assertThat(id).isBetween(0L, task.vocabulary() - 1L);
      }
      int[] labelled = new int[batch.targets().length];
      int count = 0;
      for (int i = 0; i < batch.targets().length; i++) {
        if (batch.targets()[i] != Batch.IGNORED) {
          assertThat(batch.targets()[i]).isBetween(0L, task.vocabulary() - 1L);
          labelled[count++] = i;
        }
      }
      assertThat(batch.positions()).isEqualTo(Arrays.copyOf(labelled, count));
      assertThat(batch.pairs()).hasSize(count);
      assertThat(batch.distances()).hasSize(count);
      assertThat(batch.lookups()).hasSize(count);
    }
  }

  @ParameterizedTest
  @MethodSource("org.bmojo.tasks.Tasks#all")
  void sameSeedSameBytesWhateverTheBatchSize(Task task) {
    Segment segment = new Segment(task, Split.TRAIN, 99, 26);
    Batch all = segment.batch(26, 0);
    Batch again = segment.batch(26, 0);
    assertThat(again.inputs()).isEqualTo(all.inputs());
    assertThat(again.targets()).isEqualTo(all.targets());
    assertThat(again.distances()).isEqualTo(all.distances());

    Batch second = segment.batch(13, 1); // drawn without the first
    int half = 13 * task.length();
    assertThat(second.inputs()).isEqualTo(Arrays.copyOfRange(all.inputs(), half, 2 * half));
    assertThat(second.targets()).isEqualTo(Arrays.copyOfRange(all.targets(), half, 2 * half));
  }

  @ParameterizedTest
  @MethodSource("org.bmojo.tasks.Tasks#varied")
  void anotherSeedGivesOtherBytes(Task task) {
    Batch one = new Segment(task, Split.TRAIN, 1, 64).batch(64, 0);
    Batch other = new Segment(task, Split.TRAIN, 2, 64).batch(64, 0);
    assertThat(other.targets()).isNotEqualTo(one.targets());
  }

  private static long[] wanted(Batch batch) {
    long[] wanted = new long[batch.labels()];
    for (int k = 0; k < wanted.length; k++) {
      wanted[k] = batch.targets()[batch.positions()[k]];
    }
    return wanted;
  }
}
