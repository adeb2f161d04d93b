package org.bmojo.kernels.contract;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.AttentionRings.slice;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.op.MemoryAttention.UNBOUNDED;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.StepInputs;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every room's memory attention must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class MemoryAttentionContract {
  private static final int DRAWN = 8;
  private static final ScalarType INT = ScalarType.Int;

  abstract Room room();

  Stream<AttentionCase> cases() {
    return room().types().stream().flatMap(type -> AttentionCase.of(type, DRAWN));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithAutograd(AttentionCase c) {
    try (Scope scope = new Scope()) {
      AttentionTensors given = given(c);
      Autograd wanted = given.oracle();
      var forward = op().forward(given.in());
      assertClose("out", forward.out(), wanted.outputs().get(0), rows(c));
      assertClose("log-sum-exp", forward.logSumExp(), wanted.outputs().get(1), rows(c));
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      gradients.forEach( // every one has the rounding of out's type in it, whatever its own
          (name, g) ->
              assertClose(
                  "d " + name, as(g, given.in().q()), wanted.gradient(name), rows(c) + c.tokens()));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void repeatsItselfAndLeavesInputsAlone(AttentionCase c) {
    try (Scope scope = new Scope()) {
      AttentionTensors given = given(c);
      var forward = op().forward(given.in());
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      assertSame("out", op().forward(given.in()).out(), forward.out());
      var again = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      gradients.forEach((name, g) -> assertSame("d " + name, get(again, name), g));
      Map<String, Tensor> before = given(c).named();
      given.named().forEach((name, t) -> assertSame(name + " afterwards", t, get(before, name)));
    }
  }

  /** A document of one token that sees nothing else has gradients of zero but for rounding. */
  Stream<AttentionCase> longerCases() {
    return cases().filter(c -> c.tokens() > 1);
  }

  @ParameterizedTest
  @MethodSource("longerCases")
  void documentsAgreeWithAutograd(AttentionCase c) {
    try (Scope scope = new Scope()) {
      AttentionTensors given = packed(c, c.tokens());
      Autograd wanted = given.oracle();
      var forward = op().forward(given.in());
      assertClose("out", forward.out(), wanted.outputs().get(0), rows(c));
      assertClose("log-sum-exp", forward.logSumExp(), wanted.outputs().get(1), rows(c));
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      gradients.forEach((name, g) ->
          assertClose(
              "d " + name, as(g, given.in().q()), wanted.gradient(name), rows(c) + c.tokens()));
      assertSame("out", op().forward(given.in()).out(), forward.out());
      var again = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      gradients.forEach((name, g) -> assertSame("d " + name, get(again, name), g));
    }
  }

  /** To the last bit, forward and backward, the past that comes in included. */
  @ParameterizedTest
  @ValueSource(ints = {9, 63, UNBOUNDED})
  void documentsAreStrangers(int window) {
    int fading = window == UNBOUNDED ? 0 : 11, second = 35; // of 70 tokens
    var c = new AttentionCase(first(), 1, 70, 4, 2, 8, 20, window, fading, 12, 8, 20, 20);
    try (Scope scope = new Scope()) {
      AttentionTensors given = packed(c, 3);
      var forward = op().forward(given.in());
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      given.dOut().narrow(1, 0, second).fill_(scalar(9));
      given
          .named()
          .forEach((name, t) -> {
            // Sets of chunks that begin before the second document, of which it sees nothing.
            if (t.dim() > 4 || name.endsWith("bias")) t.narrow(1, 0, 5).fill_(scalar(9));
            else t.narrow(1, 0, t.size(1) - c.tokens() + second).fill_(scalar(9));
          });
      var other = op().forward(given.in());
      assertSame("out", later(other.out(), second), later(forward.out(), second));
      var others = AttentionTensors.named(op().backward(given.in(), other, given.dOut()));
      gradients.forEach((name, g) -> {
        long rows = g.dim() > 4 || name.endsWith("bias") ? g.size(1) - 5 : second;
        assertSame("d " + name, later(get(others, name), rows), later(g, rows));
      });
    }
  }

  /** The newest {@code count} rows. */
  private static Tensor later(Tensor t, long count) {
    return t.narrow(1, t.size(1) - count, count).contiguous();
  }

  /** Over enough elements that chance decides little. */
  @ParameterizedTest
  @CsvSource({
    "1, 4, 2, 32, 63, 64, 31, 32",
    "3, 2, 2, 64, 32, 32, 16, 16",
    "1, 3, 1, 16, 207, 0, 0, 32"
  })
  void isNoWorseThanTheReference(
      int batch, int heads, int groups, int dim, int window, int fading, int slots, int chunk) {
    for (ScalarType type : room().types()) {
      var c =
          new AttentionCase(
              type, batch, 130, heads, groups, dim, 0, window, fading, slots, chunk, 0, 0);
      try (Scope scope = new Scope()) {
        AttentionTensors given = given(c);
        Autograd truth = given.oracle();
        MemoryAttention reference = Kernels.REFERENCE.memoryAttention();
        var forward = op().forward(given.in());
        var peer = reference.forward(given.in());
        assertNoWorse("out", forward.out(), peer.out(), truth.outputs().get(0));
        var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
        var peers = AttentionTensors.named(reference.backward(given.in(), peer, given.dOut()));
        Tensor q = given.in().q(); // Every gradient has the rounding of out's type in it.
        gradients.forEach((name, g) ->
            assertNoWorse("d " + name, as(g, q), as(get(peers, name), q), truth.gradient(name)));
      }
    }
  }

  /** Calls of s and T − s tokens, the second with all that came before as its past. */
  @ParameterizedTest
  @ValueSource(ints = {1, 5, 32, 33, 63})
  void aSplitChangesNothing(int s) {
    AttentionCase c = new AttentionCase(first(), 2, 64, 4, 2, 8, 0, 9, 11, 6, 12, 0, 0);
    try (Scope scope = new Scope()) {
      Inputs all = given(c).in();
      Tensor before = op().forward(slice(all, 0, s)).out();
      Tensor after = op().forward(slice(all, s, c.tokens() - s)).out();
      assertClose("out", cat(1, before, after), op().forward(all).out(), rows(c));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 9, 16})
  void stepsAgreeWithTheParallelForm(int dim) {
    AttentionCase c = new AttentionCase(first(), 5, 64, 4, 2, dim, 0, 9, 11, 6, 12, 0, 0);
    stepsAgree(c, 64, 0, 8, 9, 30, 63);
    stepsAgree(c, 33, 20, 19, 12, 11, 1); // rings that are longer than they need be
    stepsAgree(c, 20, 63, 62, 61, 60, 59);
  }

  @Test
  void stepsAgreeInTheSpecialCases() {
    long[] at = {0, 12, 29, 63, 64};
    for (int window : new int[] {1, 63, UNBOUNDED}) {
      for (int slots : new int[] {0, 40}) {
        int fading = window == 63 ? 5 : 0;
        stepsAgree(
            new AttentionCase(first(), 5, 65, 3, 1, 20, 0, window, fading, slots, 7, 0, 0), 68, at);
      }
    }
  }

  /** One step of every sequence, each at a position of its own, rings of that many rows. */
  private void stepsAgree(AttentionCase c, long ring, long... at) {
    try (Scope scope = new Scope()) {
      Inputs all = given(c).in();
      Tensor whole = op().forward(all).out();
      StepInputs in = AttentionRings.step(all, ring, at);
      Tensor out = op().step(in);
      for (int b = 0; b < at.length; b++) {
        assertClose("out", out.select(0, b), whole.select(0, b).select(0, at[b]), rows(c));
      }
      assertSame("out", op().step(in), out);
    }
  }

  @Test
  void gradientsAreTheSlopes() {
    if (!room().types().contains(ScalarType.Double)) return;
    var c = new AttentionCase(ScalarType.Double, 1, 7, 2, 1, 3, 2, 2, 3, 2, 3, 1, 2);
    try (Scope scope = new Scope()) {
      AttentionTensors given =
          AttentionTensors.of(c, room().draw(c.seed(), ScalarType.Double), false);
      var forward = op().forward(given.in());
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      given
          .named()
          .forEach((name, t) -> {
            Tensor slope =
                FiniteDifferences.of(
                    t, () -> op().forward(given.in()).out().mul(given.dOut()).sum());
            assertWithin("d " + name, get(gradients, name), slope, 1e-8);
          });
    }
  }

  @Test
  void hugeLogitsNeitherOverflowNorVanish() {
    AttentionCase c = new AttentionCase(first(), 1, 207, 2, 1, 16, 0, 40, 30, 8, 16, 0, 0);
    try (Scope scope = new Scope()) {
      AttentionTensors given = given(c);
      given.in().q().mul_(scalar(300));
      var forward = op().forward(given.in());
      Autograd wanted = given.oracle();
      // Logits of a thousand carry their own rounding of 1e-4 into every weight.
      Close.assertWithin("out", forward.out(), wanted.outputs().get(0), 1e-3);
      Close.assertWithin("lse", forward.logSumExp(), wanted.outputs().get(1), 1e-6);
      var gradients = AttentionTensors.named(op().backward(given.in(), forward, given.dOut()));
      gradients.forEach((name, g) -> Close.assertWithin(name, g, wanted.gradient(name), 1e-2));
    }
  }

  /** F = 0 and E = 0 may be said by parts that show nothing as well as by null. */
  @Test
  void emptyPartsAddNothing() {
    AttentionCase c = new AttentionCase(first(), 2, 13, 2, 1, 8, 0, 5, 0, 0, 4, 0, 0);
    try (Scope scope = new Scope()) {
      AttentionTensors given = given(c);
      Inputs in = given.in();
      Draw draw = room().draw(1, c.type());
      Tensor none = draw.normal(2, c.chunks(), 0, 1, 8);
      Eidetic empty = new Eidetic(in.q(), none, none, draw.normalState(2, c.chunks(), 2, 0));
      Inputs spelt = new Inputs(in.geometry(), in.q(), in.window(), in.window(), empty);
      var plain = op().forward(in);
      var forward = op().forward(spelt);
      assertClose("out", forward.out(), plain.out(), c.window());
      assertClose("log-sum-exp", forward.logSumExp(), plain.logSumExp(), c.window());
      var wanted = AttentionTensors.named(op().backward(in, plain, given.dOut()));
      var gradients = AttentionTensors.named(op().backward(spelt, forward, given.dOut()));
      wanted.forEach((name, g) -> assertClose(name, get(gradients, name), g, c.window()));
      for (String name : List.of("fading k", "fading v", "eidetic q")) {
        assertThat(get(gradients, name).count_nonzero().item_long()).as(name).isZero();
      }
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    AttentionCase c = new AttentionCase(first(), 1, 8, 2, 2, 4, 3, 4, 4, 2, 4, 3, 3);
    try (Scope scope = new Scope()) {
      Inputs in = given(c).in();
      Tensor q = in.q(), far = requireNonNull(in.eidetic()).q();
      var w = in.window();
      refuses("window has 7 rows", () -> with(in, q, slice(w, 0, 7)));
      refuses("window has 22 rows", () -> with(in, q, twice(w)));
      refuses("3 query heads", () -> with(in, cat(2, q, far.narrow(2, 0, 1)), w));
      refuses("shape", () -> with(in, q.narrow(3, 0, 3), w));
      refuses("shape", () -> with(in, q.narrow(1, 0, 7), slice(w, 0, 9)));
      refuses("dOut", () -> op().backward(in, op().forward(in), q.narrow(1, 0, 7)));
      refuses("window", () -> new Geometry(0, 0, 0, 1, 1));
      refuses("fading", () -> new Geometry(0, 1, -1, 1, 1));
      refuses("chunk", () -> new Geometry(0, 1, 0, 0, 1));
      refuses("start", () -> new Geometry(-1, 1, 0, 1, 1));
    }
  }

  private static Inputs with(Inputs in, Tensor q, MemoryAttention.Stream window) {
    return new Inputs(in.geometry(), q, window, null, in.eidetic());
  }

  private static MemoryAttention.Stream twice(MemoryAttention.Stream s) {
    return new MemoryAttention.Stream(cat(1, s.k(), s.k()), cat(1, s.v(), s.v()));
  }

  private static void refuses(String why, ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOf(BadInput.class).hasMessageContaining(why);
  }

  private MemoryAttention op() {
    return room().kernels().memoryAttention();
  }

  private ScalarType first() {
    return room().types().getFirst();
  }

  private AttentionTensors given(AttentionCase c) {
    return AttentionTensors.of(c, room().draw(c.seed(), c.type()), true);
  }

  /** Rows of several documents; the seed says which cuts the first row has. */
  private AttentionTensors packed(AttentionCase c, long seed) {
    Tensor begin = DocumentCuts.begin(c.batch(), c.tokens(), seed);
    Draw draw = room().draw(c.seed(), c.type());
    return AttentionTensors.of(c, draw, true, begin.to(new Device(room().device()), INT));
  }

  /** An upper bound of what a query sees. */
  private static long rows(AttentionCase c) {
    return c.past() + c.tokens() + c.fading() + c.slots();
  }

  private static Tensor get(Map<String, Tensor> tensors, String name) {
    return requireNonNull(tensors.get(name), name);
  }
}
