package org.bmojo.kernels.contract;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's linear cross-entropy must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class LinearCrossEntropyContract {
  private static final double SCALE = 0.25;

  abstract Room room();

  /** M rows, d wide, V words. */
  record Case(ScalarType type, int rows, int width, int words) {}

  Stream<Case> cases() {
    int[][] shapes = {{1, 5, 7}, {13, 5, 63}, {63, 13, 207}, {5, 64, 2}, {207, 3, 20_001}};
    return room().types().stream()
        .flatMap(type -> Stream.of(shapes).map(s -> new Case(type, s[0], s[1], s[2])));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithAutograd(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      var out = op().forward(given.hidden, given.weight, given.targets, SCALE, true);
      Autograd wanted = given.oracle();
      // Logits of narrow types are rounded before they are exponentiated; losses inherit that.
      Tensor losses = as(out.losses(), given.hidden);
      assertClose("losses", losses, wanted.outputs().get(1), c.width);
      assertClose("d hidden", requireNonNull(out.hidden()), wanted.gradient("hidden"), c.words);
      assertClose("d weight", requireNonNull(out.weight()), wanted.gradient("weight"), c.rows);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void isNoWorseThanTheReferenceAndRepeatsItself(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c), before = new Given(c);
      var out = op().forward(given.hidden, given.weight, given.targets, SCALE, true);
      var again = op().forward(given.hidden, given.weight, given.targets, SCALE, true);
      Tensor dHidden = requireNonNull(out.hidden()), dWeight = requireNonNull(out.weight());
      assertSame("losses", again.losses(), out.losses());
      assertSame("d hidden", requireNonNull(again.hidden()), dHidden);
      assertSame("d weight", requireNonNull(again.weight()), dWeight);
      assertSame("hidden afterwards", given.hidden, before.hidden);
      assertSame("weight afterwards", given.weight, before.weight);
      var plain = op().forward(given.hidden, given.weight, given.targets, SCALE, false);
      assertSame("losses without gradients", plain.losses(), out.losses());
      assertThat(plain.hidden()).isNull();
      assertThat(plain.weight()).isNull();

      LinearCrossEntropy reference = Kernels.REFERENCE.linearCrossEntropy();
      var peer = reference.forward(given.hidden, given.weight, given.targets, SCALE, true);
      Autograd truth = given.oracle();
      assertNoWorse("losses", out.losses(), peer.losses(), truth.outputs().get(1));
      assertNoWorse("d hidden", dHidden, requireNonNull(peer.hidden()), truth.gradient("hidden"));
      assertNoWorse("d weight", dWeight, requireNonNull(peer.weight()), truth.gradient("weight"));
    }
  }

  @Test
  void hugeLogitsNeitherOverflowNorVanish() {
    Case c = new Case(room().types().getFirst(), 13, 5, 63);
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      given.hidden.mul_(scalar(1000));
      var out = op().forward(given.hidden, given.weight, given.targets, SCALE, true);
      Autograd wanted = given.oracle();
      assertClose("losses", out.losses(), wanted.outputs().get(1), c.width);
      Close.assertWithin("d weight", requireNonNull(out.weight()), wanted.gradient("weight"), 1e-3);
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(1, ScalarType.Float);
      Tensor hidden = draw.normal(3, 4), weight = draw.normal(7, 4);
      Tensor targets = Tensor.create(new long[] {0, 6, LinearCrossEntropy.IGNORED}, 3);
      Device device = new Device(room().device());
      Tensor here = targets.to(device, ScalarType.Long);
      op().forward(hidden, weight, here, 1, true);
      assertRefused("targets has shape", hidden, weight, here.narrow(0, 0, 2));
      assertRefused("weight has shape", hidden, draw.normal(7, 5), here);
      if (!here.is_cpu()) return;
      assertRefused("target 7", hidden, weight, Tensor.create(new long[] {0, 1, 7}, 3));
      assertRefused("target -1", hidden, weight, Tensor.create(new long[] {-1, 1, 2}, 3));
    }
  }

  private void assertRefused(String why, Tensor hidden, Tensor weight, Tensor targets) {
    assertThatThrownBy(() -> op().forward(hidden, weight, targets, 1, true))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(why);
  }

  private LinearCrossEntropy op() {
    return room().kernels().linearCrossEntropy();
  }

  /** The tensors of a case, always the same ones; every fifth target is ignored. */
  private final class Given {
    final Tensor hidden; // (M, d)
    final Tensor weight; // (V, d)
    final Tensor targets; // (M)

    Given(Case c) {
      Draw draw = room().draw(c.rows * 31L + c.words, c.type);
      hidden = draw.normal(c.rows, c.width);
      weight = draw.normal(c.words, c.width);
      SplittableRandom random = new SplittableRandom(c.words);
      long[] words = random.longs(c.rows, 0, c.words).toArray();
      for (int m = 4; m < words.length; m += 5) words[m] = LinearCrossEntropy.IGNORED;
      targets = Tensor.create(words, c.rows).to(new Device(room().device()), ScalarType.Long);
    }

    /** Outputs: Σ scale·loss, whose gradients are wanted, and the losses. */
    Autograd oracle() {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      inputs.put("hidden", hidden);
      inputs.put("weight", weight);
      Tensor one = torch.ones(new long[0], torch.zeros(1).options());
      return Autograd.of(inputs, this::compose, one);
    }

    private List<Tensor> compose(Map<String, Tensor> in) {
      Tensor x = requireNonNull(in.get("hidden")), w = requireNonNull(in.get("weight"));
      Tensor here = targets.to(new Device("cpu"), ScalarType.Long);
      Tensor labelled = here.ge(new Scalar(0L)).to(ScalarType.Double);
      Tensor own = w.index_select(0, here.clamp_min(new Scalar(0L))); // (M, d)
      Tensor all = x.matmul(w.t()).logsumexp(1).sub(x.mul(own).sum(1)).mul(labelled);
      return List.of(all.sum().mul(scalar(SCALE)), all);
    }
  }
}
