package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** The selections that learnt ones are measured against look at positions only. */
class ControlsTest {
  @Test
  void randomIsDecidedBySeedAndPositionAlone() {
    PositionScorer random = PositionScorer.random(1), again = PositionScorer.random(1);
    PositionScorer other = PositionScorer.random(2);
    double[] scores = LongStream.range(0, 4000).mapToDouble(random::at).toArray();
    assertThat(LongStream.range(0, 4000).mapToDouble(again::at).toArray()).isEqualTo(scores);
    assertThat(LongStream.range(0, 4000).filter(p -> other.at(p) == scores[(int) p]).count())
        .isLessThan(3);
    // Uniform, and neighbours tell nothing of each other.
    double mean = IntStream.range(0, 4000).mapToDouble(p -> scores[p]).average().orElseThrow();
    double product =
        IntStream.range(1, 4000)
            .mapToDouble(p -> (scores[p] - 0.5) * (scores[p - 1] - 0.5))
            .average()
            .orElseThrow();
    assertThat(mean).isCloseTo(0.5, within(0.02));
    assertThat(product).isCloseTo(0, within(0.005));
    for (double s : scores) {
      assertThat(s).isBetween(0.0, 1.0).isLessThan(1);
      assertThat((double) (float) s).as("the same in float32").isEqualTo(s);
    }
  }

  @Test
  void whatIsReadAndInHowManyCallsDoesNotMatter() {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Var x = Var.constant(new Draw(1).normal(2, 9, 3)),
          y = Var.constant(new Draw(2).normal(2, 4, 3));
      Positions later = Positions.start(2);
      later.advance(5);
      for (PositionScorer s :
          new PositionScorer[] {
            PositionScorer.random(1), PositionScorer.recent(), PositionScorer.stride()
          }) {
        Tensor whole =
            s.score(tape, new Scorer.Inputs(x, null, Positions.start(2), null, null)).value();
        Tensor part = s.score(tape, new Scorer.Inputs(y, null, later, null, null)).value();
        assertThat(part.equal(whole.narrow(1, 5, 4))).isTrue();
      }
    }
  }

  @Test
  void recentKeepsTheNewestEligible() {
    long[] set = last(Selection.RECENT, 5, 100);
    assertThat(set).containsExactly(88, 89, 90, 91, 92);
  }

  @Test
  void strideIsSpreadOverAllOfThePast() {
    for (int tokens : new int[] {33, 64, 100, 207, 1000}) {
      long[] set = last(Selection.STRIDE, 16, tokens);
      assertThat(set).hasSize(16).startsWith(0);
      long[] gaps = IntStream.range(1, 16).mapToLong(i -> set[i] - set[i - 1]).toArray();
      long shortest = LongStream.of(gaps).min().orElseThrow();
      long longest = LongStream.of(gaps).max().orElseThrow();
      assertThat(longest).as("%d tokens: %s", tokens, set).isLessThanOrEqualTo(2 * shortest);
      assertThat(tokens - set[15]).isLessThanOrEqualTo(longest + 8);
    }
  }

  @Test
  void noneKeepsNothing() {
    assertThat(last(Selection.NONE, 4, 50)).isEmpty();
  }

  /** What memory holds when {@code tokens} tokens were read: W = 7, C = 1. */
  private static long[] last(Selection selection, int capacity, int tokens) {
    EideticConfig eidetic = EideticConfig.of(capacity, 1, selection);
    AttentionConfig attention = new AttentionConfig(1, 1, 2, 7, 0, 0, false, true, 100, eidetic);
    LayerCase c = new LayerCase(new MixerConfig(null, attention), 2, 1, tokens, 1);
    try (Scope scope = new Scope();
        Reader reader = new Reader(c.layer(ScalarType.Float), 1)) {
      reader.read(c.input(ScalarType.Float, tokens), tokens - 13, 13);
      Tensor positions = reader.state.eideticPositions();
      if (positions == null) throw new IllegalStateException("no memory");
      return Reader.kept(positions.select(0, 0));
    }
  }
}
