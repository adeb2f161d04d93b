package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.EideticSelect.Output;
import org.bmojo.kernels.op.EideticSelect.Rule;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every room's selection must do: exactly what sorting all eligible tokens anew for every
 * chunk does, however a sequence is cut into calls.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class EideticSelectContract {
  private static final double NEVER = Double.NEGATIVE_INFINITY;

  abstract Room room();

  /** The worked example of B'MOJO's description: W = 2, E = 2, C = 2, query 8. */
  @Test
  void theWorkedExample() {
    double[] e = {.1, .9, .2, .2, .8, .3, .4, .7, .6};
    try (Scope scope = new Scope()) {
      Tensor scores =
          Tensor.create(e, 1, e.length).to(new Device(room().device()), ScalarType.Float);
      Tensor none = zeros(scores, 1, 2), nobody = none.sub(new Scalar(1L)).to(ScalarType.Long);
      Output out = op().forward(new Rule(2, 2, 2), scores, 0, nobody, none);
      assertThat(numbers(out.positions())).containsExactly(-1, -1, 0, -1, 1, 2, 1, 4, 1, 4);
      assertThat(numbers(out.rows())).containsExactly(0, 0, 2, 0, 3, 4, 3, 6, 3, 6);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // E, W, C, T
    "3, 4, 2, 29",
    "64, 2, 1, 23", // E > eligible
    "1, 1, 1, 13",
    "5, 3, 16, 63", // C > W
    "0, 4, 4, 13",
    "13, 207, 5, 63", // T < W
    "7, 13, 63, 207",
    "31, 5, 7, 1",
  })
  void keepsTheBestWhateverTheCuts(int capacity, int window, int chunk, int tokens) {
    Rule rule = new Rule(capacity, window, chunk);
    for (int seed = 0; seed < 4; seed++) {
      SplittableRandom r = new SplittableRandom(seed);
      double[][] scores = {scores(r, tokens), scores(r, tokens)};
      assertSets(rule, scores, tokens);
      assertSets(rule, scores, cuts(r, tokens));
      assertSets(rule, scores, IntStream.rangeClosed(1, tokens).toArray()); // steps
    }
  }

  /** Documents begin at given tokens; the rule is applied to each chunk's document alone. */
  @ParameterizedTest
  @CsvSource({
    // E, W, C, T
    "3, 4, 2, 29",
    "64, 2, 1, 70",
    "5, 3, 16, 70", // C > W
    "13, 5, 7, 207",
  })
  void choosesFromTheChunksDocument(int capacity, int window, int chunk, int tokens) {
    Rule rule = new Rule(capacity, window, chunk);
    for (int seed = 0; seed < 8; seed++) {
      SplittableRandom r = new SplittableRandom(seed);
      double[][] scores = {scores(r, tokens), scores(r, tokens), scores(r, tokens)};
      try (Scope scope = new Scope()) {
        Tensor begin = DocumentCuts.begin(scores.length, tokens, seed);
        Tensor all = Tensor.create(flat(scores), scores.length, tokens);
        Tensor there = all.to(new Device(room().device()), ScalarType.Float);
        run(rule, scores, begin, there, tokens);
        run(rule, scores, begin, there, cuts(r, tokens));
        run(rule, scores, begin, there, IntStream.rangeClosed(1, tokens).toArray());
      }
    }
  }

  IntStream seeds() {
    return IntStream.range(0, 30);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void keepsTheBestInDrawnCases(int seed) {
    SplittableRandom r = new SplittableRandom(seed);
    Rule rule = new Rule(r.nextInt(1, 20), r.nextInt(1, 20), r.nextInt(1, 20));
    int tokens = r.nextInt(1, 120);
    double[][] scores = {scores(r, tokens), scores(r, tokens), scores(r, tokens)};
    assertSets(rule, scores, cuts(r, tokens));
  }

  @Test
  void refusesWhatDoesNotFit() {
    Rule rule = new Rule(2, 3, 4);
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(1, ScalarType.Float);
      Tensor none = draw.normal(1, 2), five = draw.normal(1, 5);
      Tensor empty = none.to(ScalarType.Long);
      assertRefused("5 scores", () -> op().forward(rule, five, 5, empty, none));
      assertRefused("kept scores", () -> op().forward(rule, five, 0, empty, five));
      assertRefused("capacity -1", () -> new Rule(-1, 1, 1));
    }
  }

  private static void assertRefused(String why, ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOf(BadInput.class).hasMessageContaining(why);
  }

  /** Calls that end at each of {@code ends}, in float32 and in float64, against the oracle. */
  private void assertSets(Rule rule, double[][] scores, int... ends) {
    for (ScalarType type : List.of(ScalarType.Float, ScalarType.Double)) {
      try (Scope scope = new Scope()) {
        Tensor all = Tensor.create(flat(scores), scores.length, scores[0].length);
        run(rule, scores, null, all.to(new Device(room().device()), type), ends);
      }
    }
  }

  private void run(Rule rule, double[][] scores, @Nullable Tensor begin, Tensor all, int... ends) {
    long batch = scores.length;
    Tensor kept = torch.full(new long[] {batch, rule.capacity()}, new Scalar(-1L), longs(all));
    Tensor keptScores = zeros(all, batch, rule.capacity());
    int start = 0;
    for (int end : ends) {
      int first = start - rule.tail(start);
      Tensor recent = all.narrow(1, first, end - first).contiguous();
      Tensor own =
          begin == null
              ? null
              : DocumentCuts.slice(begin, start, end - start).to(all.device(), ScalarType.Int);
      Output out = op().forward(rule, recent, start, kept, keptScores, own);
      Output again = op().forward(rule, recent, start, kept, keptScores, own);
      assertSame("positions", again.positions(), out.positions());
      long[] positions = numbers(out.positions()), rows = numbers(out.rows());
      long[] keptNumbers = numbers(kept);
      int capacity = rule.capacity(), chunks = rule.chunks(start, end - start);
      for (int b = 0; b < batch; b++) {
        for (int m = 0; m < chunks; m++) {
          int at = (b * chunks + m) * capacity;
          int chunk = start / rule.chunk() + m;
          int from = (int) first(begin, b, chunk * rule.chunk());
          long[] wanted = best(rule, scores[b], chunk, from);
          long[] tokens = Arrays.copyOfRange(positions, at, at + capacity);
          assertThat(tokens).as("sequence %d, chunk %d of the call", b, m).isEqualTo(wanted);
          for (int e = 0; e < capacity; e++) {
            int row = (int) rows[at + e];
            long token = row < capacity ? keptNumbers[b * capacity + row] : first + row - capacity;
            if (wanted[e] < 0) assertThat(row).isZero();
            else assertThat(token).as("token in row %d", row).isEqualTo(wanted[e]);
          }
        }
      }
      kept = out.positions().select(1, out.positions().size(1) - 1).contiguous();
      keptScores = all.gather(1, kept.clamp_min(new Scalar(0L)));
      start = end;
    }
  }

  private static long first(@Nullable Tensor begin, int row, int token) {
    return begin == null ? 0 : Math.max(0, begin.select(0, row).select(0, token).item_int());
  }

  /** The rule as written: sort everything eligible, keep the first E, list them by position. */
  private static long[] best(Rule rule, double[] scores, int chunk, int from) {
    List<Integer> eligible = new ArrayList<>();
    for (int j = from; j <= chunk * rule.chunk() - rule.window(); j++) {
      if (scores[j] != NEVER) eligible.add(j);
    }
    eligible.sort(
        Comparator.comparingDouble((Integer j) -> scores[j]).thenComparing(j -> j).reversed());
    long[] best = new long[rule.capacity()];
    Arrays.fill(best, -1);
    int kept = Math.min(best.length, eligible.size());
    for (int e = 0; e < kept; e++) best[e] = eligible.get(e);
    Arrays.sort(best, 0, kept);
    return best;
  }

  /** Many ties, some scores that are never kept. */
  private static double[] scores(SplittableRandom r, int tokens) {
    int values = r.nextBoolean() ? 4 : 10_000;
    return r.doubles(tokens).map(x -> x < .1 ? NEVER : Math.floor(x * values)).toArray();
  }

  /** Ascending ends of calls, the last of which is T. */
  private static int[] cuts(SplittableRandom r, int tokens) {
    return IntStream.rangeClosed(1, tokens)
        .filter(end -> end == tokens || r.nextInt(9) == 0)
        .toArray();
  }

  private static double[] flat(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  private static TensorOptions longs(Tensor like) {
    return like.options().dtype(new ScalarTypeOptional(ScalarType.Long));
  }

  private static long[] numbers(Tensor t) {
    long[] numbers = new long[(int) t.numel()];
    Tensor here = t.to(new Device("cpu"), ScalarType.Long).contiguous();
    if (numbers.length > 0) new LongPointer(here.data_ptr()).get(numbers);
    return numbers;
  }

  private EideticSelect op() {
    return room().kernels().eideticSelect();
  }
}
