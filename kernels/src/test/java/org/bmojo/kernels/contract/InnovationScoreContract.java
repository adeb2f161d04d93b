package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Trial.get;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's innovation score must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class InnovationScoreContract {
  abstract Room room();

  /** Sizes. */
  record Case(ScalarType type, long batch, long tokens, long width) {}

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 7),
                new Case(type, 2, 13, 33),
                new Case(type, 1, 207, 64),
                new Case(type, 3, 63, 207)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(c.tokens * 1000 + c.width, c.type);
      Tensor x = draw.normal(c.batch, c.tokens, c.width);
      Tensor predicted = draw.normal(c.batch, c.tokens, c.width);
      Tensor de = draw.normalState(c.batch, c.tokens);
      Autograd wanted =
          Autograd.of(Map.of("x", x, "predicted", predicted), InnovationScoreContract::compose, de);
      Trial.run(
          Map.of("x", x, "predicted", predicted, "de", de),
          room().kernels().innovationScore(),
          Kernels.REFERENCE.innovationScore(),
          op -> answer(op, x, predicted, de),
          Map.of(
              "e", wanted.outputs().getFirst(),
              "dx", wanted.gradient("x"),
              "dpredicted", wanted.gradient("predicted")),
          c.width);
    }
  }

  private static Map<String, Tensor> answer(
      InnovationScore op, Tensor x, Tensor predicted, Tensor de) {
    var gradients = op.backward(x, predicted, de);
    return Map.of(
        "e", op.forward(x, predicted), "dx", gradients.x(), "dpredicted", gradients.predicted());
  }

  private static List<Tensor> compose(Map<String, Tensor> in) {
    Tensor x = get(in, "x");
    Tensor rms = x.square().mean(-1).add(scalar(InnovationScore.EPS)).sqrt();
    return List.of(x.div(rms.unsqueeze(-1)).sub(get(in, "predicted")).square().mean(-1));
  }
}
