package org.bmojo.kernels.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** How far a packed matrix is from what was packed. */
class PackedMatrixTest {
  /**
   * @param share of the largest number of a block, which no number of it is off by more: half a
   *     step of 1/127 or 1/8, a whole one at the end of four bits that has no code, and what
   *     rounding the scale to 8 bits shifts at the ends
   */
  @ParameterizedTest
  @CsvSource({"fp32, 0", "bf16, 0.0039063", "int8, 0.0079", "int4, 0.1295"})
  void everyNumberIsCloseToItsOwn(String name, double share) {
    try (Scope _ = new Scope()) {
      int out = 37, in = 207;
      Tensor matrix = new Draw(1).normal(out, in).to(ScalarType.Float);
      PackedMatrix packed = PackedMatrix.of(matrix, Format.named(name));
      Floats before = Floats.of(matrix), after = Floats.of(packed.unpacked());
      for (int row = 0; row < out; row++) {
        for (int from = 0; from < in; from += PackedMatrix.BLOCK) {
          int end = Math.min(in, from + PackedMatrix.BLOCK);
          double largest = 0, off = 0;
          for (int i = row * in + from; i < row * in + end; i++) {
            largest = Math.max(largest, Math.abs(before.get(i)));
            off = Math.max(off, Math.abs(before.get(i) - after.get(i)));
          }
          assertThat(off).as("row %d from %d", row, from).isLessThanOrEqualTo(share * largest);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void zerosStayZeros(Format format) {
    try (Scope _ = new Scope()) {
      Tensor zeros = torch.zeros(5, 63);
      assertThat(PackedMatrix.of(zeros, format).unpacked().equal(zeros)).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"int8, 8.5", "int4, 4.5", "bf16, 16", "fp32, 32"})
  void takesSoManyBits(String name, double bits) {
    try (Scope _ = new Scope()) {
      PackedMatrix packed = PackedMatrix.of(torch.ones(64, 128), Format.named(name));
      assertThat(packed.bytes() * 8.0 / (64 * 128)).isEqualTo(bits);
    }
  }

  @Test
  void refusesOtherNames() {
    assertThatThrownBy(() -> Format.named("q4_0"))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("fp32, bf16, int8 or int4");
  }
}
