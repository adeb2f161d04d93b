package org.bmojo.tasks;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every configuration that cannot be drawn is refused with what was found, by number. */
class BadConfigTest {

  static Stream<Arguments> bad() {
    return Stream.of(
        bad("length is 63", () -> new Mqar.Config(128, 63, 4, 0.01, true, 1)),
        bad("64 ids for length 64", () -> new Mqar.Config(64, 64, 4, 0.01, true, 1)),
        bad("take 68 positions", () -> new Mqar.Config(128, 64, 17, 0.01, true, 1)),
        bad("2 pass", () -> new Mqar.Config(128, 64, 11, 0.01, true, 2)),
        bad("positions", () -> new Mqar.Config(128, 64, Integer.MAX_VALUE, 0.01, true, 3)),
        bad("pairs is 0", () -> new Mqar.Config(128, 64, 0, 0.01, true, 1)),
        bad("passes is 0", () -> new Mqar.Config(128, 64, 4, 0.01, true, 0)),
        bad("power is 0.0", () -> new Mqar.Config(128, 64, 4, 0, true, 1)),
        bad("power is NaN", () -> new Mqar.Config(128, 64, 4, Double.NaN, true, 1)),
        bad("5 updates of 4", () -> new ForgettingMqar.Config(128, 64, 4, 5, 0.01, true)),
        bad("take 66", () -> new ForgettingMqar.Config(128, 64, 11, 11, 0.01, true)),
        bad("use 4 or 9", () -> new CompositionalMqar.Config(128, 64, 5, 0.01, true)),
        bad("take 96", () -> new CompositionalMqar.Config(128, 64, 16, 0.01, true)),
        bad("length is 13", () -> new InContextRecall.Config(16, 13, 0, 0, true)),
        bad("noise is 1.0", () -> new InContextRecall.Config(16, 12, 4, 1, true)),
        bad("without noise ids", () -> new InContextRecall.Config(16, 12, 0, 0.2, true)),
        bad("leaves 1 ids", () -> new InContextRecall.Config(18, 12, 16, 0.2, false)),
        bad("3 key and 3 value", () -> new FuzzyRecall.Config(7, 128, 4, 3)),
        bad("length is 12", () -> new FuzzyRecall.Config(16, 12, 3, 3)),
        bad("up to 6 and 3", () -> new FuzzyRecall.Config(64, 128, 6, 3)),
        bad("length is 32", () -> new SelectiveCopying.Config(16, 32, 16)),
        bad("vocabulary is 2", () -> new SelectiveCopying.Config(2, 33, 16)),
        bad("length is 1", () -> new Compression.Config(16, 1)),
        bad("length is 31", () -> new Memorization.Config(256, 31)),
        bad("length is 10", () -> passkey(10, 0.1, 1, 1)),
        bad("keys is 4", () -> passkey(207, 0.1, 5, 1)),
        bad("depth is 1.5", () -> passkey(207, 0.1, 1, 1.5)),
        bad("depth is NaN", () -> passkey(207, 0.1, 1, Double.NaN)),
        bad("jump is 1.0", () -> passkey(207, 1, 1, 1)),
        bad("length is 8", () -> new NeedleHaystack.Config(16, 8)),
        bad("8 ids for length 9", () -> new NeedleHaystack.Config(8, 9)),
        bad("9 names", () -> new VariableTracking.Config(207, 4, 0, 9, 4, 2, 4, 1)),
        bad("11 queries", () -> new VariableTracking.Config(207, 4, 0, 10, 4, 2, 4, 11)),
        bad("length is 31", () -> new VariableTracking.Config(31, 4, 0, 10, 4, 2, 4, 1)),
        bad("length is 2", () -> new InductionHeads.Config(16, 2)),
        bad("vocabulary is 1", () -> new InductionHeads.Config(1, 63)),
        bad("0 examples", () -> new Segment(Presets.basedMqar(64, 4), Split.TRAIN, 1, 0)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("bad")
  void isRefused(String found, Supplier<?> config) {
    assertThatThrownBy(config::get).isInstanceOf(BadInput.class).hasMessageContaining(found);
  }

  @Test
  void batchesThatCannotBeDrawnAreRefused() {
    Segment segment = new Segment(Presets.inductionHeads(1 << 20), Split.TRAIN, 1, Segment.ENDLESS);
    assertThatThrownBy(() -> segment.batch(4096, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> segment.batch(0, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> segment.batch(1, -1)).isInstanceOf(BadInput.class);
  }

  @Test
  void aTaskThatMiscountsItsPositionsIsADefect() {
    BatchWriter out = new BatchWriter(1, 2);
    out.token(1);
    assertThatThrownBy(out::endExample).isInstanceOf(IllegalStateException.class);
    out.token(1);
    assertThatThrownBy(() -> out.token(1)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> out.labelled(1, 1, 1, 1)).isInstanceOf(IllegalStateException.class);
  }

  private static Passkey.Config passkey(int length, double jump, int needles, double depth) {
    return new Passkey.Config(length, 8, jump, 4, 10, 5, needles, depth);
  }

  private static Arguments bad(String found, Supplier<?> config) {
    return Arguments.of(found, config);
  }
}
