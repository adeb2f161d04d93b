package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Trial.get;
import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's linear maps of few rows must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class RowLinearContract {
  private static final double EPS = 1e-5;

  abstract Room room();

  /** Rows, their width, outputs, and whether a norm stands in front. */
  record Case(ScalarType type, long rows, long width, long outputs, boolean norm) {}

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 1, 1, 1, false),
                new Case(type, 1, 13, 63, true),
                new Case(type, 2, 64, 207, false),
                new Case(type, 7, 207, 131, true),
                new Case(type, 8, 512, 5, true),
                new Case(type, 13, 72, 40, true))); // more rows than one kernel takes
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope _ = new Scope()) {
      Draw draw = room().draw(c.rows * 1000 + c.width, c.type);
      Map<String, Tensor> in = new LinkedHashMap<>();
      in.put("x", draw.normal(c.rows, c.width));
      in.put("gain", draw.uniform(0.5, 1.5, c.width));
      for (String name : List.of("a", "b", "c")) {
        Tensor weight = draw.normal(name.equals("c") ? c.outputs + 3 : c.outputs, c.width);
        in.put(name, weight.mul(scalar(1 / Math.sqrt(c.width))));
      }
      in.put("first", draw.normal(c.rows, c.outputs));
      in.put("second", draw.normal(c.rows, c.outputs));
      Map<String, Tensor> wide = new LinkedHashMap<>();
      in.forEach((name, t) -> wide.put(name, t.to(ScalarType.Double)));
      Trial.run(
          in,
          room().kernels().rowLinear(),
          Kernels.REFERENCE.rowLinear(),
          op -> answer(op, in, c),
          truth(wide, c),
          c.width);
    }
  }

  private static Map<String, Tensor> answer(RowLinear op, Map<String, Tensor> in, Case c) {
    Tensor x = get(in, "x");
    Tensor normed = empty(x, c.rows, c.width);
    RowLinear.Norm norm = c.norm ? new RowLinear.Norm(get(in, "gain"), EPS, normed) : null;
    Map<String, Tensor> out = new LinkedHashMap<>();
    List<RowLinear.Map> three =
        Stream.of("a", "b", "c")
            .map(name -> new RowLinear.Map(get(in, name), empty(x, c.rows, get(in, name).size(0))))
            .toList();
    op.forward(x, norm, three, List.of());
    out.put("a", three.get(0).out());
    out.put("b", three.get(1).out());
    out.put("c", three.get(2).out());
    Tensor sum = get(in, "second").clone(); // what is added may be the output itself
    op.forward(
        x, norm, List.of(new RowLinear.Map(get(in, "a"), sum)), List.of(get(in, "first"), sum));
    out.put("sum", sum);
    Tensor gated = empty(x, c.rows, c.outputs);
    op.gated(x, norm, get(in, "a"), get(in, "b"), gated);
    out.put("gated", gated);
    if (c.norm) out.put("normed", normed);
    return out;
  }

  private static Map<String, Tensor> truth(Map<String, Tensor> in, Case c) {
    Tensor x = get(in, "x");
    if (c.norm) {
      Tensor square = x.square().mean(new long[] {-1}, true, null).add(scalar(EPS));
      x = x.div(square.sqrt()).mul(get(in, "gain"));
    }
    Tensor a = x.matmul(get(in, "a").t()), b = x.matmul(get(in, "b").t());
    Map<String, Tensor> out = new LinkedHashMap<>();
    out.put("a", a);
    out.put("b", b);
    out.put("c", x.matmul(get(in, "c").t()));
    out.put("sum", a.add(get(in, "first")).add(get(in, "second")));
    out.put("gated", a.mul(a.sigmoid()).mul(b));
    if (c.norm) out.put("normed", x);
    return out;
  }

  @Test
  void shapesThatDoNotFitAreRefused() {
    try (Scope _ = new Scope()) {
      Draw draw = room().draw(1, ScalarType.Float);
      Tensor x = draw.normal(2, 8), weight = draw.normal(5, 8), out = draw.normal(2, 5);
      Tensor other = draw.normal(5, 7), small = draw.normal(2, 4);
      RowLinear op = room().kernels().rowLinear();
      for (RowLinear.Map map :
          List.of(new RowLinear.Map(other, out), new RowLinear.Map(weight, small))) {
        assertThatThrownBy(() -> op.forward(x, null, List.of(map), List.of()))
            .isInstanceOf(BadInput.class)
            .hasMessageContaining("row linear");
      }
      var good = new RowLinear.Map(weight, out);
      assertThatThrownBy(() -> op.forward(x, null, List.of(good, good), List.of(out)))
          .isInstanceOf(BadInput.class);
      assertThatThrownBy(() -> op.gated(x, null, weight, other, out)).isInstanceOf(BadInput.class);
    }
  }
}
