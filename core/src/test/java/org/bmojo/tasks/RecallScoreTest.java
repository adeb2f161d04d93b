package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.bmojo.error.BadInput;
import org.bmojo.tasks.RecallScore.Slice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecallScoreTest {

  /** Two examples: three labels (ids 1, 1, 2) and one label (id 2). */
  private static Batch batch() {
    BatchWriter out = new BatchWriter(2, 4);
    out.labelled(0, 1, 1, 3);
    out.labelled(0, 1, 2, 4);
    out.token(0);
    out.labelled(0, 2, 2, 9);
    out.endExample();
    out.token(0);
    out.token(0);
    out.labelled(0, 2, 2, Batch.NONE, 3);
    out.token(0);
    out.endExample();
    return out.toBatch();
  }

  @Test
  void averagesByHand() {
    RecallScore score = new RecallScore(4);
    score.add(batch(), new long[] {1, 2, 7, 2});
    assertThat(score.labels()).isEqualTo(4);
    assertThat(score.examples()).isEqualTo(2);
    assertThat(score.plain()).isEqualTo(0.5);
    assertThat(score.perExample()).isCloseTo((1 / 3. + 1) / 2, within(1e-15));
    // Class 1 half, class 2 half, class 7 never wanted: 0.
    assertThat(score.macro()).isCloseTo((0.5 + 0.5 + 0) / 3, within(1e-15));

    score.add(batch(), new long[] {1, 1, 2, 2});
    assertThat(score.plain()).isEqualTo(0.75);
    assertThat(score.macro()).isCloseTo((1 / 3. + 1) / 2, within(1e-15));
    assertThat(score.examples()).isEqualTo(4);
  }

  @Test
  void slicesByHand() {
    RecallScore score = new RecallScore(4);
    score.add(batch(), new long[] {1, 2, 7, 2});
    assertThat(score.byPairs())
        .containsExactly(entry(1, new Slice(1, 1)), entry(2, new Slice(1, 3)));
    // Distances 3, 4 and 9 in windows of 4; the label without a distance is left out.
    assertThat(score.byWindows())
        .containsExactly(
            entry(0, new Slice(1, 1)), entry(1, new Slice(0, 1)), entry(2, new Slice(0, 1)));
    assertThat(score.byLookups())
        .containsExactly(entry(1, new Slice(1, 3)), entry(3, new Slice(1, 1)));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0, <1",
    "31, 0, <1",
    "32, 1, 1-2",
    "63, 1, 1-2",
    "64, 2, 2-4",
    "127, 2, 2-4",
    "128, 3, 4-8",
    "1048575, 15, 16384-32768"
  })
  void distancesFallInOctavesOfTheWindow(int distance, int octave, String bounds) {
    BatchWriter out = new BatchWriter(1, 1);
    out.labelled(0, 1, 1, distance);
    out.endExample();
    RecallScore score = new RecallScore(32);
    score.add(out.toBatch(), new long[] {1});
    assertThat(score.byWindows()).containsOnlyKeys(octave);
    assertThat(RecallScore.bounds(octave)).isEqualTo(bounds);
  }

  @Test
  void aPerfectSolverScoresOneAndAGuesserDoesNot() {
    Task task = Presets.basedMqar(256, 64);
    Batch batch = Tasks.test(task, 13);
    RecallScore perfect = new RecallScore(32);
    perfect.add(batch, Solver.solve(task, batch));
    assertThat(perfect.perExample()).isEqualTo(1);
    assertThat(perfect.macro()).isEqualTo(1);
    RecallScore guess = new RecallScore(32);
    long[] constant = new long[batch.labels()];
    java.util.Arrays.fill(constant, 5000);
    guess.add(batch, constant);
    assertThat(guess.perExample()).isLessThan(0.01);
  }

  @Test
  void emptyScoresAreNotNumbersAndBadChoicesAreRefused() {
    RecallScore score = new RecallScore(4);
    assertThat(score.perExample()).isNaN();
    assertThat(score.plain()).isNaN();
    assertThat(score.macro()).isNaN();
    assertThatThrownBy(() -> score.add(batch(), new long[3]))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("3 choices");
    assertThatThrownBy(() -> score.add(batch(), new long[] {1, 1, 2, -1}))
        .isInstanceOf(BadInput.class);
    assertThat(score.labels()).isZero();
    assertThatThrownBy(() -> new RecallScore(0)).isInstanceOf(BadInput.class);
  }

  private static java.util.Map.Entry<Integer, Slice> entry(int key, Slice slice) {
    return java.util.Map.entry(key, slice);
  }
}
