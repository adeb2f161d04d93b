package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.op.TokenStep.Eidetic;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Scores of single tokens in several layers at once, and what they become in a new set. */
@Tag("gpu")
final class CudaTokenScoreTest {
  private static final Room ROOM = CudaRooms.room();
  private static final int LAYERS = 2, BATCH = 3, CAPACITY = 4, WINDOW = 3, CHUNK = 5;
  private static final int ROWS = WINDOW + CHUNK, HEADS = 2, DIM = 4;

  /** What a score is made of. */
  enum Rule {
    INNOVATION,
    SCALE_FREE,
    IMPORTANCE,
    CONTEXTUAL,
    COMBINED;

    boolean foresees() {
      return this == INNOVATION || this == SCALE_FREE || this == COMBINED;
    }

    boolean learns() {
      return this != INNOVATION && this != SCALE_FREE;
    }
  }

  /**
   * A case.
   *
   * @param type of activations and the predictor
   * @param small the type of importance's weights
   */
  record Case(Rule rule, int width, ScalarType type, ScalarType small) {
    int rank() {
      return rule.foresees() ? Math.max(1, width / 16) : 0;
    }

    /** In bfloat16 a prediction is rounded twice; of rms(y) an element may be rounded otherwise. */
    double tolerance() {
      if (type == ScalarType.Float) return 2e-5;
      return rule.foresees() ? 0.03 : 1e-3;
    }
  }

  static Stream<Case> cases() {
    return Stream.of(Rule.values())
        .flatMap(rule -> ROOM.types().stream().flatMap(type -> cases(rule, type)));
  }

  private static Stream<Case> cases(Rule rule, ScalarType type) {
    return IntStream.of(1, 13, 64, 207, 1032)
        .mapToObj(w -> new Case(rule, w, type, w == 64 ? type : ScalarType.Float));
  }

  /** A layer's tensors that matter here, in the order of {@link Eidetic#layers}. */
  private record Memory(
      Tensor x,
      Tensor y,
      @Nullable Tensor history,
      @Nullable Tensor down,
      @Nullable Tensor up,
      @Nullable Tensor weight,
      @Nullable Tensor stateWeight,
      @Nullable Tensor offset,
      Tensor recent,
      List<Tensor> heads, // window k and v, kept k and v
      Tensor positions,
      Tensor scores,
      Tensor bias) {
    static Memory of(Case c, long seed) {
      Draw draw = ROOM.draw(seed, c.type), small = ROOM.draw(seed + 100, c.small);
      long[] nobody = new long[BATCH * CAPACITY];
      Arrays.fill(nobody, -1);
      double far = Math.sqrt(3.0 / c.width);
      boolean foresees = c.rule.foresees(), learns = c.rule.learns();
      return new Memory(
          draw.normal(BATCH, c.width),
          draw.uniform(-9, 9, BATCH, c.width),
          foresees ? draw.normal(BATCH, c.width) : null,
          foresees ? draw.uniform(-far, far, c.rank(), c.width) : null,
          foresees ? draw.normal(c.width, c.rank()) : null,
          learns ? small.uniform(-far, far, c.width) : null,
          c.rule == Rule.CONTEXTUAL ? small.uniform(-far, far, c.width) : null,
          learns ? small.normal(1) : null,
          draw.normalState(BATCH, ROWS),
          List.of(
              draw.normal(BATCH, ROWS, 1, DIM),
              draw.normal(BATCH, ROWS, 1, DIM),
              draw.normal(BATCH, CAPACITY, 1, DIM),
              draw.normal(BATCH, CAPACITY, 1, DIM)),
          longs(nobody).reshape(BATCH, CAPACITY),
          draw.normalState(BATCH, CAPACITY),
          draw.normalState(BATCH, HEADS, CAPACITY));
    }

    Stream<@Nullable Tensor> tensors() {
      Stream<@Nullable Tensor> first =
          Stream.of(x, y, history, down, up, weight, stateWeight, offset, recent);
      return Stream.concat(
          first, Stream.concat(heads.stream(), Stream.of(positions, scores, bias)));
    }

    /** The token's score, (B) float64. */
    Tensor score() {
      Tensor e = zeros(wide(x), BATCH).add(scalar(1));
      if (weight != null) {
        Tensor logit = wide(x).matmul(wide(weight)).add(wide(offset));
        if (stateWeight != null) {
          Tensor loud = rms(wide(y)).to(y.scalar_type()); // rounded, as the general step has it
          logit = logit.add(wide(loud).matmul(wide(stateWeight)));
        }
        e = torch.logaddexp(logit, torch.zeros_like(logit));
      }
      if (down == null) return e;
      Tensor foreseen = wide(history).matmul(wide(down).t()).matmul(wide(up).t());
      return e.mul(rms(wide(x)).sub(foreseen).square().mean(-1));
    }
  }

  private static Tensor rms(Tensor rows) {
    Tensor square = rows.square().mean(new long[] {-1}, true, null);
    return rows.div(square.add(scalar(InnovationScore.EPS)).sqrt());
  }

  private static Tensor wide(@Nullable Tensor t) {
    return Objects.requireNonNull(t).to(new Device("cpu"), ScalarType.Double);
  }

  private static Tensor longs(long... values) {
    return Tensor.create(values, values.length).to(new Device(ROOM.device()), ScalarType.Long);
  }

  private static Eidetic table(Case c, List<Memory> layers) {
    long[] addresses =
        layers.stream()
            .flatMap(Memory::tensors)
            .mapToLong(t -> t == null ? 0 : t.data_ptr().address())
            .toArray();
    Memory one = layers.getFirst();
    return new Eidetic(
        longs(addresses).reshape(LAYERS, Eidetic.ADDRESSES),
        one.x,
        one.down,
        one.weight,
        BATCH,
        c.width,
        c.rank(),
        c.rule == Rule.SCALE_FREE,
        ROWS,
        CAPACITY,
        WINDOW,
        CHUNK,
        HEADS,
        1,
        DIM);
  }

  private static TokenStep ops() {
    return Objects.requireNonNull(ROOM.kernels().tokenStep());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aScoreIsNotedAtTheTokensPlace(Case c) {
    try (Scope _ = new Scope()) {
      List<Memory> layers = List.of(Memory.of(c, 1), Memory.of(c, 2));
      List<Tensor> wanted = layers.stream().map(Memory::score).toList();
      List<Tensor> before = layers.stream().map(m -> wide(m.recent)).toList();
      long[] at = {0, ROWS - 1, 3L * ROWS + 2};
      ops().score(table(c, layers), longs(at), InnovationScore.EPS);
      for (int i = 0; i < LAYERS; i++) {
        Memory layer = layers.get(i);
        Tensor found = wide(layer.recent), rest = before.get(i);
        for (int b = 0; b < BATCH; b++) {
          Tensor one = found.select(0, b).select(0, at[b] % ROWS);
          assertWithin("layer " + i + ", " + b, one, wanted.get(i).select(0, b), c.tolerance());
          rest.select(0, b).select(0, at[b] % ROWS).copy_(one);
        }
        assertSame("the other scores", found, rest);
        if (layer.history == null) continue;
        if (c.rule != Rule.SCALE_FREE) assertSame("history", layer.history, layer.y);
        else assertWithin("history", wide(layer.history), rms(wide(layer.y)), c.tolerance());
      }
    }
  }

  /** Scores down to those that float32 has no number for, and one that must not be kept. */
  @ParameterizedTest
  @EnumSource
  void importanceBecomesTheBiasOfANewSet(Rule rule) {
    try (Scope _ = new Scope()) {
      Case c = new Case(rule, 13, ScalarType.Float, ScalarType.Float);
      List<Memory> layers = List.of(Memory.of(c, 1), Memory.of(c, 2));
      double never = Double.NEGATIVE_INFINITY;
      double[] scores = {3, 0, never, 1e-33, 0.25, 7, 7, 7}; // the last W − 1 and what is to come
      for (Memory layer : layers) layer.recent.copy_(Tensor.create(scores, ROWS));
      Tensor untouched = layers.getFirst().bias.select(0, 1).clone();
      Tensor chosen = zeros(longs(0), LAYERS, BATCH, CAPACITY);
      long[] next = {5, 6, 5}; // 5 − W + 1 tokens have left the window: 0, 1, 2
      ops().refresh(table(c, layers), longs(next), null, chosen);
      for (Memory layer : layers) {
        assertThat(rows(layer.positions, 0)).containsExactly(0, 1, -1, -1);
        assertThat(rows(layer.scores, 0)).containsExactly(3, 0, never, never);
        double least = rule.learns() ? Math.log(1e-30) : 0;
        Tensor bias = wide(layer.bias).select(0, 2);
        for (int h = 0; h < HEADS; h++) {
          double[] found = rows(bias, h);
          assertThat(found[0]).isCloseTo(rule.learns() ? Math.log(3) : 0, within());
          assertThat(found[1]).isCloseTo(least, within());
          assertThat(found[2]).isEqualTo(never);
          assertThat(found[3]).isEqualTo(never);
        }
      }
      assertSame("no chunk begins", layers.getFirst().bias.select(0, 1), untouched);
    }
  }

  private static Offset<Double> within() {
    return Offset.offset(1e-5);
  }

  private static double[] rows(Tensor t, long row) {
    Tensor one = wide(t.select(0, row));
    return IntStream.range(0, (int) one.numel())
        .mapToDouble(i -> one.select(0, i).item_double())
        .toArray();
  }
}
