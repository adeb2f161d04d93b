package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.bmojo.model.LanguageModel;
import org.bmojo.tasks.InductionHeads;
import org.bmojo.tasks.RecallScore;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Split;
import org.bmojo.tasks.Task;
import org.bmojo.tasks.TaskChoice;
import org.bmojo.tasks.TaskKind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecallScorerTest {
  private static Segment segment(Task task, int examples) {
    return new Segment(task, Split.TEST, Split.TEST.firstSeed() + 3, examples);
  }

  /** Through the state, in pieces that fit nothing, every family answers as in one pass. */
  @ParameterizedTest
  @EnumSource
  void piecesChangeNoAnswer(RecallModel.Family family) {
    Task task = TaskChoice.of(TaskKind.MQAR).suite(1).test().getFirst().task();
    try (LanguageModel model =
        LanguageModel.create(RecallModel.of(family).config(task.vocabulary()), 1)) {
      RecallScore whole =
          new RecallScorer(model, model::logitsAt, 16, 1 << 14).score(segment(task, 13), _ -> {});
      AtomicLong read = new AtomicLong();
      RecallScore parts =
          new RecallScorer(model, model::logitsAt, 16, 51)
              .score(segment(task, 13), read::addAndGet);
      assertThat(read.get()).isEqualTo(13L * task.length());
      assertThat(whole.labels()).isEqualTo(13 * 8);
      assertThat(parts.byWindows()).isEqualTo(whole.byWindows());
      assertThat(parts.perExample()).isEqualTo(whole.perExample());
    }
  }

  /** Longer than a piece, however short the piece: one example at a time, question at the end. */
  @ParameterizedTest
  @ValueSource(ints = {1, 63, 207, 1000})
  void longExamplesAreReadToTheirEnd(int piece) {
    Task task = new InductionHeads(new InductionHeads.Config(16, 207));
    RecallModel bmojo = RecallModel.of(RecallModel.Family.BMOJO);
    try (LanguageModel model = LanguageModel.create(bmojo.config(16), 1)) {
      AtomicLong read = new AtomicLong();
      RecallScore score =
          new RecallScorer(model, model::logitsAt, 16, piece)
              .score(segment(task, 3), read::addAndGet);
      assertThat(score.labels()).isEqualTo(3);
      assertThat(score.examples()).isEqualTo(3);
      assertThat(read.get()).isEqualTo(3 * 207);
    }
  }
}
