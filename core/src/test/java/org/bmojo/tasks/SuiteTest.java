package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;

class SuiteTest {
  private static final Task TASK = Presets.basedMqar(64, 4);

  @Test
  void lastBatchOfAnEpochIsShortAndTheNextEpochRepeats() {
    Segment segment = new Segment(TASK, Split.TRAIN, 5, 100);
    assertThat(segment.batches(32)).isEqualTo(4);
    assertThat(segment.batch(32, 3).size()).isEqualTo(4);
    assertThat(segment.batch(32, 5).inputs()).isEqualTo(segment.batch(32, 1).inputs());
    assertThat(segment.batch(32, 2).inputs()).isNotEqualTo(segment.batch(32, 1).inputs());
  }

  @Test
  void endlessSegmentsGoOn() {
    Segment segment = new Segment(TASK, Split.TRAIN, 5, Segment.ENDLESS);
    long far = 1L << 40;
    assertThat(segment.batch(207, far).size()).isEqualTo(207);
    assertThat(segment.batch(207, far).inputs()).isNotEqualTo(segment.batch(207, far + 1).inputs());
  }

  @Test
  void seedsAreDistinctAndFromTheirOwnRanges() {
    for (long master = 0; master < 50; master++) {
      Suite suite = Presets.passkeySuite(master, 100);
      List<Long> seeds =
          Stream.concat(suite.train().stream(), suite.test().stream()).map(Segment::seed).toList();
      assertThat(seeds).doesNotHaveDuplicates();
      assertThat(suite.train()).allMatch(s -> s.seed() >= 0 && s.seed() < 1L << 31);
      assertThat(suite.test()).allMatch(s -> s.seed() >= 1L << 31 && s.seed() < 1L << 32);
    }
  }

  @Test
  void seedsOfTheWrongRangeOrSharedSeedsAreRefused() {
    assertThatThrownBy(() -> new Segment(TASK, Split.TRAIN, 1L << 31, 10))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("2147483648");
    assertThatThrownBy(() -> new Segment(TASK, Split.TEST, 10, 10)).isInstanceOf(BadInput.class);
    Segment segment = new Segment(TASK, Split.TRAIN, 3, 10);
    assertThatThrownBy(() -> new Suite("twice", List.of(segment, segment), List.of()))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("seed 3");
    assertThatThrownBy(() -> new Suite("wrong", List.of(), List.of(segment)))
        .isInstanceOf(BadInput.class);
    Segment endless = new Segment(TASK, Split.TRAIN, 4, Segment.ENDLESS);
    assertThatThrownBy(() -> new Suite("endless", List.of(segment, endless), List.of()))
        .isInstanceOf(BadInput.class);
    Suite empty = new Suite("empty", List.of(), List.of());
    assertThatThrownBy(() -> empty.trainBatch(1, 0)).isInstanceOf(BadInput.class);
  }

  @Test
  void trainingVisitsSegmentsInOrder() {
    Suite suite = Presets.basedMixture(Presets.MASTER_SEED);
    assertThat(suite.train().stream().mapToLong(Segment::examples).sum()).isEqualTo(180_000);
    assertThat(suite.batchesPerEpoch(256)).isEqualTo(707);
    assertThat(suite.trainBatch(256, 390).length()).isEqualTo(64);
    assertThat(suite.trainBatch(256, 390).size()).isEqualTo(100_000 - 390 * 256);
    assertThat(suite.trainBatch(256, 391).length()).isEqualTo(128);
    assertThat(suite.trainBatch(256, 706).labels()).isEqualTo((20_000 - 78 * 256) * 64);
    assertThat(suite.trainBatch(256, 707).inputs()).isEqualTo(suite.trainBatch(256, 0).inputs());
  }

  @Test
  void shufflingVisitsTheSameBatchesInAnotherOrderEveryEpoch() {
    Suite suite =
        Suite.of(
            "two",
            9,
            List.of(new Suite.Part(TASK, 50), new Suite.Part(Presets.basedMqar(64, 8), 63)),
            List.of());
    long batches = suite.batchesPerEpoch(13); // 4 + 5
    assertThat(batches).isEqualTo(9);
    List<Integer> listed = new ArrayList<>();
    List<Integer> first = new ArrayList<>();
    List<Integer> second = new ArrayList<>();
    for (long n = 0; n < batches; n++) {
      listed.add(Arrays.hashCode(suite.trainBatch(13, n).inputs()));
      first.add(Arrays.hashCode(suite.shuffledTrainBatch(13, n, 1).inputs()));
      second.add(Arrays.hashCode(suite.shuffledTrainBatch(13, batches + n, 1).inputs()));
    }
    assertThat(first).containsExactlyInAnyOrderElementsOf(listed).isNotEqualTo(listed);
    assertThat(second).containsExactlyInAnyOrderElementsOf(listed).isNotEqualTo(first);
  }
}
