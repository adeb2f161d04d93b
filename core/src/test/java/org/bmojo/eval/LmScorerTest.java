package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Windows.Span;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.Footprint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LmScorerTest {
  private static final int END = 256;
  private static final int[] LENGTHS = {13, 600, 1, 207, 63, 513, 0, 2};

  private final LanguageModel model = LanguageModel.create(Models.mixed(257), 1, ScalarType.Double);

  /** Each window computed by itself in one piece, without a state. */
  @ParameterizedTest
  @ValueSource(strings = {"stream", "disjoint:63", "strided:63:13", "mean:207:63", "last:207:13"})
  void countsWhatTheConventionSays(String convention) {
    Windows windows = Windows.parse(convention);
    List<LmScorer.Text> texts = new ArrayList<>();
    for (int i = 0; i < LENGTHS.length; i++) {
      texts.add(new LmScorer.Text("t" + i, "c" + i % 2, tokens(LENGTHS[i], i), 3L * LENGTHS[i]));
    }
    SideBySide reader = new SideBySide(model, 3, Long.MAX_VALUE, 300);
    long[] read = {0};
    List<LmScore> scores = new LmScorer(reader, END).score(windows, texts, n -> read[0] += n);
    long all = 0;
    for (int i = 0; i < texts.size(); i++) {
      double nats = 0;
      long counted = 0;
      for (Span span : windows.of(LENGTHS[i])) {
        double[] losses = alone(texts.get(i).tokens(), span);
        for (int t = span.counted(); t < span.to(); t++) nats += losses[t - span.from()];
        counted += span.to() - span.counted();
        all += span.to() - span.from();
      }
      LmScore score = scores.get(i);
      assertThat(score.nats()).isEqualTo(nats, within(1e-8 * (1 + nats)));
      assertThat(score.tokens()).isEqualTo(counted);
      assertThat(score.bins().stream().mapToLong(LmScore.Bin::tokens).sum()).isEqualTo(counted);
      assertThat(score.bins().stream().mapToDouble(LmScore.Bin::nats).sum())
          .isEqualTo(nats, within(1e-8 * (1 + nats)));
      if (windows.countsOnce()) {
        assertThat(score.tokens()).isEqualTo(LENGTHS[i]);
        assertThat(score.bytes()).isEqualTo(3L * LENGTHS[i]);
      } else {
        assertThat(score.bytes()).isNull();
      }
    }
    assertThat(read[0]).isEqualTo(all);
  }

  @Test
  void windowsAreThoseOfTheLiterature() {
    // lm-evaluation-harness, 10 tokens in windows of 4: the last is filled up with context.
    assertThat(Windows.parse("disjoint:4").of(10))
        .containsExactly(new Span(0, 4, 0), new Span(4, 8, 4), new Span(6, 10, 8));
    assertThat(Windows.parse("disjoint:4").of(3)).containsExactly(new Span(0, 3, 0));
    assertThat(Windows.parse("strided:4:3").of(9))
        .containsExactly(new Span(0, 4, 0), new Span(3, 7, 4), new Span(5, 9, 7));
    assertThat(Windows.parse("mean:4:3").of(9))
        .containsExactly(new Span(0, 4, 0), new Span(3, 7, 3));
    assertThat(Windows.parse("last:4:2").of(8))
        .containsExactly(
            new Span(0, 4, 2),
            new Span(1, 5, 3),
            new Span(2, 6, 4),
            new Span(3, 7, 5),
            new Span(4, 8, 6));
    assertThat(Windows.parse("last:4:2").of(1000))
        .hasSize(10)
        .last()
        .isEqualTo(new Span(996, 1000, 998));
    assertThat(Windows.parse("last:4:2").of(3)).isEmpty();
    assertThat(Windows.parse("stream").of(9)).containsExactly(new Span(0, 9, 0));
    assertThat(Windows.parse("stream:4").of(9)).containsExactly(new Span(0, 4, 0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"disjoint", "strided:4", "last:4:5", "mean:0:1", "rolling:4", "stream:x"})
  void windowsThatAreNoneAreRefused(String text) {
    assertThatThrownBy(() -> Windows.parse(text)).isInstanceOf(BadInput.class);
  }

  @Test
  void binsHavePowersOfTwoAsBoundaries() {
    for (int p = 16; p > 0 && p <= 1 << 30; p *= 2) {
      assertThat(PositionGrid.from(PositionGrid.bin(p))).isEqualTo(p);
      assertThat(PositionGrid.to(PositionGrid.bin(p - 1))).isEqualTo(p);
    }
    assertThat(PositionGrid.bin(0)).isZero();
    assertThat(PositionGrid.bin(15)).isZero();
    assertThat(PositionGrid.bin(19)).isEqualTo(2);
  }

  @Test
  void aCurveIsTheMeanOverItsTexts() {
    var a = new LmScore("a", "", 40, 1L, 40, 80, bins(new double[] {16, 16, 3, 6}));
    var b = new LmScore("b", "", 20, 1L, 20, 20, bins(new double[] {16, 32}));
    List<LmScore.Bin> curve = LmScore.curve(List.of(a, b));
    assertThat(curve.getFirst().loss()).isEqualTo(48.0 / 32);
    assertThat(curve.get(1).loss()).isEqualTo(2);
    assertThat(LmScore.atLeast(30, List.of(a, b))).containsExactly(a);
    LmScore.Bin both = LmScore.between(curve, 0, 32);
    assertThat(both).isEqualTo(new LmScore.Bin(0, 32, 35, 54));
    assertThat(LmScore.between(curve, 32, 64)).isNull();
  }

  @Test
  void memoryThatDoesNotFitIsRefusedAndRowsAreFewer() {
    long each = 2 * 2 * Footprint.stateBytes(model.config(), 10); // float64, and room to grow
    assertThat(new SideBySide(model, 8, 3 * each + 1, 300).rows(10)).isEqualTo(3);
    assertThat(new SideBySide(model, 8, 100 * each, 300).rows(10)).isEqualTo(8);
    assertThatThrownBy(() -> new SideBySide(model, 8, 100, 300).rows(10))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("the memory of 10 tokens");
  }

  private static List<LmScore.Bin> bins(double... tokensAndNats) {
    List<LmScore.Bin> bins = new ArrayList<>();
    for (int i = 0; 2 * i < tokensAndNats.length; i++) {
      bins.add(
          new LmScore.Bin(
              PositionGrid.from(i),
              PositionGrid.to(i),
              (long) tokensAndNats[2 * i],
              tokensAndNats[2 * i + 1]));
    }
    return bins;
  }

  private double[] alone(int[] tokens, Span span) {
    int length = span.to() - span.from();
    if (length == 0) return new double[0];
    long[] ids = new long[length], targets = new long[length];
    for (int i = 0; i < length; i++) {
      int t = span.from() + i;
      ids[i] = t == 0 ? END : tokens[t - 1];
      targets[i] = tokens[t];
    }
    try (Scope _ = new Scope()) {
      Tensor losses = model.losses(Batch.of(ids, targets, 1), null);
      double[] values = new double[length];
      for (int i = 0; i < length; i++) values[i] = losses.select(0, 0).select(0, i).item_double();
      return values;
    }
  }

  private static int[] tokens(int length, long seed) {
    return Arrays.copyOf(new SplittableRandom(seed).ints(length, 0, 256).toArray(), length);
  }
}
