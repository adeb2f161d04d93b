package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Trial.get;
import static org.bmojo.kernels.torch.Tensors.stack;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's rotary embedding must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class RotaryContract {
  abstract Room room();

  /** Sizes, and whether one angle serves all tokens. */
  record Case(ScalarType type, long batch, long tokens, long heads, long width, boolean oneAngle) {}

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 1, 2, false),
                new Case(type, 2, 13, 3, 10, false),
                new Case(type, 1, 63, 2, 64, true),
                new Case(type, 3, 207, 1, 32, false),
                new Case(type, 1, 65, 2, 42, true)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(c.tokens * 1000 + c.width, c.type);
      Tensor x = draw.normal(c.batch, c.tokens, c.heads, c.width);
      Tensor dy = draw.normal(c.batch, c.tokens, c.heads, c.width);
      Tensor angle = draw.uniformState(-4, 4, c.oneAngle ? 1 : c.tokens, c.width / 2);
      Tensor cos = angle.cos(), sin = angle.sin();
      Autograd wanted =
          Autograd.of(Map.of("x", x, "cos", cos, "sin", sin), RotaryContract::compose, dy);
      Trial.run(
          Map.of("x", x, "dy", dy, "cos", cos, "sin", sin),
          room().kernels().rotary(),
          Kernels.REFERENCE.rotary(),
          op ->
              Map.of(
                  "y",
                  op.forward(x, cos, sin),
                  "dx",
                  op.backward(dy, cos, sin),
                  "dx onto x",
                  op.backwardOnto(x, dy, cos, sin)),
          Map.of(
              "y",
              wanted.outputs().getFirst(),
              "dx",
              wanted.gradient("x"),
              "dx onto x",
              wanted.gradient("x").add(Close.wide(x))),
          1);
      var op = room().kernels().rotary();
      assertClose("turned back", op.backward(op.forward(x, cos, sin), cos, sin), x, 4);
    }
  }

  /** Each plane as a complex number, multiplied by another of length 1. */
  private static List<Tensor> compose(Map<String, Tensor> in) {
    Tensor x = get(in, "x");
    long batch = x.size(0), tokens = x.size(1), heads = x.size(2), half = x.size(3) / 2;
    Tensor planes = x.view(batch, tokens, heads, 2, half);
    Tensor re = planes.select(3, 0), im = planes.select(3, 1);
    Tensor c = get(in, "cos").unsqueeze(1), s = get(in, "sin").unsqueeze(1); // (T, 1, D/2)
    Tensor turned = stack(3, re.mul(c).sub(im.mul(s)), re.mul(s).add(im.mul(c)));
    return List.of(turned.reshape(batch, tokens, heads, 2 * half));
  }
}
