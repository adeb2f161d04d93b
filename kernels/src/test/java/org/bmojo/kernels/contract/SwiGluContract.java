package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Trial.get;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's SwiGLU gate must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SwiGluContract {
  abstract Room room();

  /** Sizes, and the spread of the gate: 60 saturates it. */
  record Case(ScalarType type, long rows, long width, double spread) {}

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 1),
                new Case(type, 3, 13, 60),
                new Case(type, 207, 63, 4),
                new Case(type, 63, 1024, 1))); // more than one task's worth
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(c.rows * 1000 + c.width, c.type);
      Tensor gate = draw.uniform(-c.spread, c.spread, 1, c.rows, c.width);
      Tensor up = draw.normal(1, c.rows, c.width), dy = draw.normal(1, c.rows, c.width);
      Autograd wanted = Autograd.of(Map.of("gate", gate, "up", up), SwiGluContract::compose, dy);
      Trial.run(
          Map.of("gate", gate, "up", up, "dy", dy),
          room().kernels().swiGlu(),
          Kernels.REFERENCE.swiGlu(),
          op -> answer(op, gate, up, dy),
          Map.of(
              "y", wanted.outputs().getFirst(),
              "dgate", wanted.gradient("gate"),
              "dup", wanted.gradient("up")),
          1);
    }
  }

  private static Map<String, Tensor> answer(SwiGlu op, Tensor gate, Tensor up, Tensor dy) {
    var gradients = op.backward(gate, up, dy);
    return Map.of("y", op.forward(gate, up), "dgate", gradients.gate(), "dup", gradients.up());
  }

  private static List<Tensor> compose(Map<String, Tensor> in) {
    Tensor gate = get(in, "gate");
    return List.of(gate.mul(gate.sigmoid()).mul(get(in, "up")));
  }
}
