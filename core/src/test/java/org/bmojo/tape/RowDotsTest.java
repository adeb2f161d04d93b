package org.bmojo.tape;

import static org.bmojo.kernels.contract.Close.assertClose;

import java.util.Objects;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RowDotsTest {
  @ParameterizedTest
  @CsvSource({"1,1,1", "2,13,63", "3,63,64", "1,207,768"})
  void areInnerProducts(long batch, long tokens, long width) {
    agree("cpu", ScalarType.Float, batch, tokens, width);
  }

  @Tag("gpu")
  @ParameterizedTest
  @CsvSource({"1,1,8", "2,13,64", "1,207,768", "4,512,200"})
  void areInnerProductsOnAGpu(long batch, long tokens, long width) {
    agree("cuda:0", ScalarType.Float, batch, tokens, width);
    agree("cuda:0", ScalarType.BFloat16, batch, tokens, width);
  }

  /** Beside float64, with a gradient that is there already and without. */
  private static void agree(String device, ScalarType type, long batch, long tokens, long width) {
    for (boolean first : new boolean[] {true, false}) {
      try (Scope scope = new Scope();
          Tape tape = Tape.recording()) {
        Draw draw = new Draw(width, type, new Device(device));
        Tensor x = draw.normal(batch, tokens, width), w = draw.normalState(width);
        Tensor slope = draw.normalState(batch, tokens), there = draw.normal(batch, tokens, width);
        Var rows = Var.leaf(x), weight = Var.leaf(w);
        Var dots = RowDots.of(tape, rows, weight);
        if (!first) rows.addGradient(there);
        // The products' sum, weighted by slope.
        Var sum =
            tape.record(
                dots.value().mul(slope).sum(),
                Tape.inputs(dots),
                Tape.keeping(slope),
                d -> dots.addGradient(slope));
        tape.backward(sum, 1);
        Tensor wideX = wide(x), wideW = wide(w), wideSlope = wide(slope);
        Tensor dx = wideSlope.unsqueeze(2).mul(wideW);
        if (!first) dx = dx.add(wide(there));
        assertClose("dots", dots.value(), wideX.matmul(wideW), 64 * 64);
        assertClose("dx", gradient(rows), dx, 4);
        Tensor dw = wideSlope.reshape(1, -1).matmul(wideX.reshape(-1, width)).reshape(-1);
        assertClose("dw", gradient(weight), dw, 64 * 64);
      }
    }
  }

  private static Tensor gradient(Var v) {
    return Objects.requireNonNull(v.gradient());
  }

  private static Tensor wide(Tensor t) {
    return t.to(new Device("cpu"), ScalarType.Double);
  }
}
