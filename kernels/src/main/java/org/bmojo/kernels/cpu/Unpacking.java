package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.op.PackedMatrix.BLOCK;
import static org.bmojo.kernels.op.PackedMatrix.PANEL;
import static org.bmojo.kernels.torch.Tensors.empty;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.bmojo.kernels.op.PackedMatrix;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Codes in panels made bfloat16 again, for products of many rows. The result is transposed, because
 * a vector of codes is a piece of one column: 16 rows' numbers, written side by side.
 */
final class Unpacking {
  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(LANES * Short.SIZE));
  private static final long GRAIN = 4; // panels of a task

  private final int in, bits, perInt, blocks;
  private final float zero;
  private final MemorySegment codes, scales, to;
  private final long width; // of a row of the result

  private Unpacking(PackedMatrix matrix, Tensor result) {
    Tensor s = matrix.scales();
    if (s == null) throw new IllegalArgumentException("a matrix without scales");
    in = (int) matrix.in();
    bits = matrix.format().bits();
    perInt = Integer.SIZE / bits;
    zero = matrix.format().zero();
    blocks = (int) matrix.codes().size(1);
    width = result.size(1);
    codes = memory(matrix.codes());
    scales = memory(s);
    to = memory(result);
  }

  private static MemorySegment memory(Tensor t) {
    long bytes = t.numel() * t.element_size();
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(bytes);
  }

  /** (in, out) bfloat16, in the innermost scope. */
  static Tensor transposed(PackedMatrix matrix) {
    long panels = matrix.codes().size(0);
    Tensor result = empty(matrix.codes(), ScalarType.BFloat16, matrix.in(), panels * PANEL);
    Unpacking unpacking = new Unpacking(matrix, result);
    Cores.forRanges(
        panels,
        GRAIN,
        (first, end) -> {
          for (long panel = first; panel < end; panel++) {
            for (int lane = 0; lane < PANEL; lane += LANES) unpacking.panel(panel, lane);
          }
        });
    return result.narrow(1, 0, matrix.out());
  }

  private void panel(long panel, int lane) {
    long ints = (long) blocks * BLOCK / perInt * PANEL;
    long code = (panel * ints + lane) * Integer.BYTES;
    int mask = (1 << bits) - 1;
    for (int k = 0; k < in; ) {
      long pair = panel * (blocks / 2) + k / (2 * BLOCK);
      IntVector both = MatrixRows.ints(scales, (pair * PANEL + lane) * Integer.BYTES);
      boolean even = k / BLOCK % 2 == 0;
      FloatVector scale = even ? MatrixRows.low(both) : MatrixRows.high(both);
      FloatVector offset = scale.mul(-zero);
      for (int end = Math.min(k + BLOCK, in); k < end; ) {
        IntVector v = MatrixRows.ints(codes, code);
        code += PANEL * Integer.BYTES;
        for (int j = 0; j < perInt && k < end; j++, k++) {
          IntVector c = v.lanewise(VectorOperators.LSHR, j * bits).and(mask);
          FloatVector w = ((FloatVector) c.convert(VectorOperators.I2F, 0)).fma(scale, offset);
          // To bfloat16, halves away from zero.
          IntVector rounded = w.reinterpretAsInts().add(0x8000).lanewise(VectorOperators.LSHR, 16);
          ShortVector narrow = (ShortVector) rounded.convertShape(VectorOperators.I2S, SHORTS, 0);
          long at = (k * width + panel * PANEL + lane) * Short.BYTES;
          narrow.intoMemorySegment(to, at, ByteOrder.nativeOrder());
        }
      }
    }
  }
}
