package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Trial.get;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

  /** Sizes, and whether there is a gain. */
  record Case(ScalarType type, long batch, long rows, long width, boolean gain) {}

  // A width of 1 has no gradient but cancelled digits: y is ±1 whatever x is.
  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 5, true),
                new Case(type, 2, 3, 13, false),
                new Case(type, 3, 13, 63, true),
                new Case(type, 1, 207, 64, true),
                new Case(type, 2, 65, 16, false),
                new Case(type, 1, 5, 207, true)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(c.rows * 1000 + c.width, c.type);
      Tensor x = draw.normal(c.batch, c.rows, c.width), dy = draw.normal(c.batch, c.rows, c.width);
      Map<String, Tensor> inputs = new LinkedHashMap<>(Map.of("x", x));
      if (c.gain) inputs.put("weight", draw.uniform(0.5, 1.5, c.width));
      Tensor weight = inputs.get("weight");
      Autograd wanted = Autograd.of(inputs, RmsNormContract::compose, dy);
      Map<String, Tensor> truth = new LinkedHashMap<>();
      truth.put("y", wanted.outputs().get(0));
      truth.put("scale", wanted.outputs().get(1));
      wanted.gradients().forEach((name, g) -> truth.put("d" + name, g));
      truth.put("dx onto x", wanted.gradient("x").add(Close.wide(x)));
      inputs.put("dy", dy);
      Trial.run(
          inputs,
          room().kernels().rmsNorm(),
          Kernels.REFERENCE.rmsNorm(),
          op -> answer(op, x, weight, dy),
          truth,
          c.width + c.batch * c.rows);
    }
  }

  private static Map<String, Tensor> answer(
      RmsNorm op, Tensor x, @Nullable Tensor weight, Tensor dy) {
    var out = op.forward(x, weight, EPS);
    var gradients = op.backward(x, weight, out.scale(), dy);
    Map<String, Tensor> named = new LinkedHashMap<>();
    named.put("y", out.y());
    named.put("scale", out.scale());
    named.put("dx", gradients.x());
    named.put("dx onto x", op.backwardOnto(x, x, weight, out.scale(), dy).x());
    if (gradients.weight() != null) named.put("dweight", gradients.weight());
    return named;
  }

  private static List<Tensor> compose(Map<String, Tensor> in) {
    Tensor x = get(in, "x");
    Tensor meanSquare = x.square().mean(-1).add(scalar(EPS));
    Tensor y = x.div(meanSquare.sqrt().unsqueeze(-1));
    Tensor weight = in.get("weight");
    return List.of(weight == null ? y : y.mul(weight), meanSquare.rsqrt());
  }
}
