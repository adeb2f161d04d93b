package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's RMSNorm must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class RmsNormContract {
  private static final double EPS = 1e-5;

  abstract Room room();

  /** A shape, a type, and whether there is a gain. */
  record Case(ScalarType type, long rows, long width, boolean gain) {
    Case(ScalarType type, long[] shape, boolean gain) {
      this(type, shape[0], shape[1], gain);
    }
  }

  Stream<Case> cases() {
    // A width of 1 has no gradient but cancelled digits: y is ±1 whatever x is.
    long[][] shapes = {{1, 5}, {3, 13}, {13, 63}, {207, 64}, {5, 207}};
    return room().types().stream()
        .flatMap(type ->
            Stream.of(shapes)
                .flatMap(s -> Stream.of(new Case(type, s, true), new Case(type, s, false))));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithAutograd(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      var out = op().forward(given.x, given.weight, EPS);
      var gradients = op().backward(given.x, given.weight, out.scale(), given.dy);
      Autograd wanted = given.oracle();
      assertClose("y", out.y(), wanted.outputs().get(0), c.width);
      assertClose("scale", out.scale(), wanted.outputs().get(1), c.width);
      assertClose("dx", gradients.x(), wanted.gradient("x"), c.width);
      if (c.gain) {
        Tensor dWeight = Objects.requireNonNull(gradients.weight());
        assertClose("dweight", dWeight, wanted.gradient("weight"), c.rows);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void isNoWorseThanTheReferenceAndRepeatsItself(Case c) {
    try (Scope scope = new Scope()) {
      Given given = new Given(c);
      Given before = new Given(c);
      var out = op().forward(given.x, given.weight, EPS);
      var gradients = op().backward(given.x, given.weight, out.scale(), given.dy);
      var again = op().backward(given.x, given.weight, out.scale(), given.dy);
      assertSame("y", op().forward(given.x, given.weight, EPS).y(), out.y());
      assertSame("dx", again.x(), gradients.x());
      assertSame("x afterwards", given.x, before.x);
      assertSame("dy afterwards", given.dy, before.dy);

      RmsNorm reference = Kernels.REFERENCE.rmsNorm();
      var peer = reference.forward(given.x, given.weight, EPS);
      var peerGradients = reference.backward(given.x, given.weight, peer.scale(), given.dy);
      Autograd truth = given.oracle();
      assertNoWorse("y", out.y(), peer.y(), truth.outputs().get(0));
      assertNoWorse("dx", gradients.x(), peerGradients.x(), truth.gradient("x"));
      if (c.gain) {
        Tensor dWeight = Objects.requireNonNull(gradients.weight());
        assertSame("dweight", Objects.requireNonNull(again.weight()), dWeight);
        Tensor peerWeight = Objects.requireNonNull(peerGradients.weight());
        assertNoWorse("dweight", dWeight, peerWeight, truth.gradient("weight"));
      }
    }
  }

  private RmsNorm op() {
    return room().kernels().rmsNorm();
  }

  /** The tensors of a case, always the same ones. */
  private final class Given {
    final Tensor x, dy; // (1, rows, width)
    final @Nullable Tensor weight; // (width)

    Given(Case c) {
      Draw draw = room().draw(c.rows * 1000 + c.width, c.type);
      x = draw.normal(1, c.rows, c.width);
      dy = draw.normal(1, c.rows, c.width);
      weight = c.gain ? draw.uniform(0.5, 1.5, c.width) : null;
    }

    Autograd oracle() {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      inputs.put("x", x);
      if (weight != null) inputs.put("weight", weight);
      return Autograd.of(inputs, RmsNormContract::compose, dy);
    }
  }

  private static List<Tensor> compose(Map<String, Tensor> in) {
    Tensor x = Objects.requireNonNull(in.get("x"));
    Tensor meanSquare = x.square().mean(-1).add(scalar(EPS));
    Tensor y = x.div(meanSquare.sqrt().unsqueeze(-1));
    Tensor weight = in.get("weight");
    return List.of(weight == null ? y : y.mul(weight), meanSquare.rsqrt());
  }
}
