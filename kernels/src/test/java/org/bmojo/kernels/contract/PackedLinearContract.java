package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.kernels.op.PackedLinear;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room must do with a packed weight: multiply by the numbers that it stands for. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class PackedLinearContract {
  abstract Room room();

  /** Rows of x, and the matrix's shape: not in whole panels or blocks, and in one or many. */
  record Case(ScalarType type, Format format, long rows, long out, long in) {}

  Stream<Case> cases() {
    List<long[]> shapes =
        List.of(
            new long[] {1, 1, 1},
            new long[] {1, 13, 63},
            new long[] {3, 207, 33},
            new long[] {6, 16, 64},
            new long[] {1, 80, 207},
            new long[] {13, 63, 129},
            new long[] {207, 49, 96});
    return room().types().stream()
        .flatMap(type ->
            Arrays.stream(Format.values())
                .flatMap(f -> shapes.stream().map(s -> new Case(type, f, s[0], s[1], s[2]))));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      Draw draw = room().draw(c.rows * 1000 + c.out, c.type);
      Tensor matrix = draw.normal(c.out, c.in), x = draw.normal(1, c.rows, c.in);
      PackedMatrix packed = PackedMatrix.of(matrix, c.format);
      Tensor before = x.clone();
      Tensor wide = packed.unpacked().to(ScalarType.Double);
      Tensor truth = x.to(ScalarType.Double).matmul(wide.t());
      PackedLinear op = room().kernels().packedLinear();
      Tensor y = op.forward(x, packed);
      assertWithin("y", y, truth, tolerance(c));
      assertSame("y again", op.forward(x, packed), y);
      assertSame("x afterwards", x, before);
      if (c.out > PackedMatrix.PANEL) {
        long rest = c.out - PackedMatrix.PANEL;
        Tensor part = op.forward(x, packed.rows(PackedMatrix.PANEL, rest));
        assertWithin("rows", part, truth.narrow(2, PackedMatrix.PANEL, rest), tolerance(c));
      }
    }
  }

  /** Many rows may be rounded to bfloat16, a few not: see {@link PackedLinear}. */
  private static double tolerance(Case c) {
    boolean narrow = c.type == ScalarType.BFloat16 || (c.rows > 6 && c.format != Format.FP32);
    return (narrow ? 0x1p-7 : 0x1p-20) * Math.sqrt(Math.max(4, c.in) / 16.0);
  }
}
