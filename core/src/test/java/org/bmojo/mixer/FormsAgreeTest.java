package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Names;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Parallel, chunked and step forms of random layers, against each other and against {@link Dense}:
 * outputs, states and eidetic sets.
 */
class FormsAgreeTest {
  private static final int MORE = 9;

  static LongStream inDouble() {
    return LongStream.range(0, 63);
  }

  static LongStream inFloat() {
    return LongStream.range(100, 121);
  }

  @ParameterizedTest
  @MethodSource("inDouble")
  void inDouble(long seed) {
    agree(seed, ScalarType.Double, 1e-10);
  }

  @ParameterizedTest
  @MethodSource("inFloat")
  void inFloat(long seed) {
    agree(seed, ScalarType.Float, 1e-4);
  }

  private void agree(long seed, ScalarType type, double tolerance) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      LayerCase c = LayerCase.random(seed);
      BMojo layer = c.layer(type);
      int all = c.tokens() + MORE;
      Tensor x = c.input(type, all);
      Tensor beginning = x.narrow(1, 0, c.tokens()), rest = x.narrow(1, c.tokens(), MORE);
      Dense wanted =
          Dense.of(c.config(), LayerCase.leaves(Names.of(layer)), x.to(ScalarType.Double));
      Tensor parallel = layer.forward(tape, Var.constant(x), null).value();
      assertWithin(c + ", parallel", parallel, wanted.output(), tolerance);

      Map<String, Reader> readers = new LinkedHashMap<>();
      forms(c)
          .forEach((form, lengths) -> {
            Reader reader = new Reader(layer, c.batch());
            readers.put(form, reader);
            Tensor output = reader.read(beginning, lengths);
            Tensor expected = wanted.output().narrow(1, 0, c.tokens());
            assertWithin(c + ", " + form, output, expected, tolerance);
          });
      Reader first = readers.values().iterator().next();
      readers.forEach((form, r) -> sameState(c + ", state of " + form, r, first, tolerance));
      // Every state goes on in a way of its own.
      int round = 0;
      for (Map.Entry<String, Reader> e : readers.entrySet()) {
        int[] lengths = round % 2 == 0 ? LayerCase.split(seed + round, MORE, 4) : new int[MORE];
        round++;
        Tensor output = e.getValue().read(rest, lengths);
        Tensor expected = wanted.output().narrow(1, c.tokens(), MORE);
        assertWithin(c + ", after " + e.getKey(), output, expected, tolerance);
        sameSets(c + ", sets after " + e.getKey(), e.getValue(), wanted);
        e.getValue().close();
      }
    }
  }

  /** How the beginning is read: the lengths of the calls, 0 for a step. */
  private static Map<String, int[]> forms(LayerCase c) {
    Map<String, int[]> forms = new LinkedHashMap<>();
    forms.put("one call", new int[] {c.tokens()});
    forms.put("chunks", LayerCase.split(c.seed(), c.tokens(), 7));
    forms.put("steps", new int[c.tokens()]);
    List<Integer> mixed = new ArrayList<>();
    for (int length : LayerCase.split(c.seed() + 1000, c.tokens(), 5)) {
      for (int i = 0; i < length && length % 2 == 1; i++) mixed.add(0);
      if (length % 2 == 0) mixed.add(length);
    }
    forms.put("chunks and steps", mixed.stream().mapToInt(i -> i).toArray());
    return forms;
  }

  private static void sameSets(String name, Reader reader, Dense wanted) {
    for (int b = 0; b < wanted.sets().size(); b++) {
      assertThat(reader.sets(b))
          .as(name)
          .usingRecursiveComparison()
          .isEqualTo(wanted.sets().get(b));
    }
  }

  /** What the states hold, as far as anyone will read it. */
  private static void sameState(String name, Reader reader, Reader wanted, double tolerance) {
    MixerState a = reader.state, b = wanted.state;
    long position = b.position();
    assertThat(a.position()).as(name).isEqualTo(position);
    var past = a.attention();
    var other = b.attention();
    sameStream(name + ", window", past.window(position), other.window(position), tolerance);
    sameStream(name + ", fading", past.fading(position), other.fading(position), tolerance);
    if (past.eidetic == null || other.eidetic == null) return;
    assertThat(past.eidetic.positions.get().equal(other.eidetic.positions.get())).as(name).isTrue();
    Tensor empty = other.eidetic.positions.get().lt(new Scalar(0L));
    Tensor scores = past.eidetic.scores.get(), otherScores = other.eidetic.scores.get();
    Scalar zero = scalar(0);
    assertThat(scores.isinf().equal(empty)).as(name + ", scores of empty slots").isTrue();
    assertWithin(
        name + ", scores",
        scores.masked_fill(empty, zero),
        otherScores.masked_fill(empty, zero),
        tolerance);
    Tensor hidden = empty.unsqueeze(-1).unsqueeze(-1);
    assertWithin(
        name + ", eidetic keys",
        past.eidetic.k.get().masked_fill(hidden, zero),
        other.eidetic.k.get().masked_fill(hidden, zero),
        tolerance);
    assertWithin(
        name + ", eidetic values",
        past.eidetic.v.get().masked_fill(hidden, zero),
        other.eidetic.v.get().masked_fill(hidden, zero),
        tolerance);
  }

  private static void sameStream(
      String name, @Nullable Stream actual, @Nullable Stream wanted, double tolerance) {
    assertThat(actual == null).as(name).isEqualTo(wanted == null);
    if (actual == null || wanted == null) return;
    assertWithin(name + " keys", actual.k(), wanted.k(), tolerance);
    assertWithin(name + " values", actual.v(), wanted.v(), tolerance);
  }
}
