package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.op.PackedMatrix.BLOCK;
import static org.bmojo.kernels.op.PackedMatrix.PANEL;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.bmojo.kernels.op.PackedMatrix;
import org.bytedeco.pytorch.Tensor;

/**
 * A packed matrix times one vector: a panel of 16 rows at a time, each weight read once with whole
 * vector loads and widened in registers. What can be done to x beforehand spares it for every row:
 *
 * <ul>
 *   <li>bfloat16 comes in pairs, an int each. The low one is shifted up, the high one masked: so x
 *       is split into its even and odd elements.
 *   <li>Whole numbers come four or eight to an int, and are masked but not shifted down: code j of
 *       an int is left 2^(bits·j) too large, which exactly scaled copies of x make up for. Only the
 *       topmost is shifted, clear of the sign.
 *   <li>Σ scale·(code − zero)·x = scale·(Σ code·x − zero·Σ x), so x's sum over each block is kept.
 * </ul>
 */
public final class MatrixRows {
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final int LINE = PANEL * Integer.BYTES; // bytes of 16 rows' next codes

  private final PackedMatrix.Format format;
  private final int out, in;
  private final int blocks; // of 32 columns
  private final Tensor owner;
  private final MemorySegment codes, scales;
  private final float[] factors; // of the codes of an int, exact powers of 2

  /** Over the memory of {@code matrix}, which must stay. */
  public MatrixRows(PackedMatrix matrix) {
    format = matrix.format();
    out = Math.toIntExact(matrix.out());
    in = Math.toIntExact(matrix.in());
    owner = matrix.codes();
    codes = memory(matrix.codes());
    Tensor s = matrix.scales();
    scales = s == null ? MemorySegment.NULL : memory(s);
    blocks = format.isInteger() ? (int) matrix.codes().size(1) : (in + BLOCK - 1) / BLOCK;
    factors =
        switch (format) {
          case FP32, BF16 -> new float[0];
          case INT8 -> factors(4, 8);
          case INT4 -> factors(8, 4);
        };
  }

  /** What makes up for codes that are not shifted down; the topmost is. */
  private static float[] factors(int codesOfInt, int bits) {
    float[] factors = new float[codesOfInt];
    for (int j = 0; j < codesOfInt; j++) {
      factors[j] = j == codesOfInt - 1 ? 1 : Math.scalb(1f, -bits * j);
    }
    return factors;
  }

  private static MemorySegment memory(Tensor t) {
    long bytes = t.numel() * t.element_size();
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(bytes);
  }

  /** How numbers are kept. */
  public PackedMatrix.Format format() {
    return format;
  }

  /** Rows. */
  public int out() {
    return out;
  }

  /** Columns. */
  public int in() {
    return in;
  }

  /** Panels of 16 rows, the last perhaps with fewer. */
  public int panels() {
    return (out + PANEL - 1) / PANEL;
  }

  /** Bytes that a product reads. */
  public long bytes() {
    return codes.byteSize() + scales.byteSize();
  }

  /** Keeps the memory alive; for those who hold this. */
  Tensor owner() {
    return owner;
  }

  /** Floats that {@link #prepare} needs room for. */
  public int preparedLength() {
    return (blocks + 1) * BLOCK + blocks + PANEL * LANES + PANEL;
  }

  /**
   * Readies x.
   *
   * @param x the first {@link #in} elements, and zeros as far as whole pairs of blocks
   * @param to room of {@link #preparedLength}; handed to {@link #multiply}
   */
  public void prepare(float[] x, float[] to) {
    switch (format) {
      case FP32 -> System.arraycopy(x, 0, to, 0, blocks * BLOCK);
      case BF16 -> split(x, to);
      case INT8, INT4 -> scale(x, to);
    }
  }

  /** How long an x must be that {@link #prepare} reads. */
  public int paddedIn() {
    return (in + 2 * BLOCK - 1) / (2 * BLOCK) * 2 * BLOCK;
  }

  /** A vector of even elements, then one of odd ones, and so on. */
  private void split(float[] x, float[] to) {
    for (int i = 0; i < blocks * BLOCK; i += 2 * LANES) {
      for (int k = 0; k < LANES; k++) {
        to[i + k] = x[i + 2 * k];
        to[i + LANES + k] = x[i + 2 * k + 1];
      }
    }
  }

  private void scale(float[] x, float[] to) {
    int sums = blocks * BLOCK, codesOfInt = factors.length;
    float zero = format.zero();
    for (int b = 0; b < blocks; b++) {
      float sum = 0;
      for (int i = b * BLOCK; i < (b + 1) * BLOCK; i += codesOfInt) {
        for (int j = 0; j < codesOfInt; j++) {
          to[i + j] = x[i + j] * factors[j];
          sum += x[i + j];
        }
      }
      to[sums + b] = zero * sum;
    }
  }

  /**
   * Rows 16·panel to 16·panel + 15 of the product, or as many as there are.
   *
   * @param x as {@link #prepare} left it
   * @param y room for whole panels from {@code at} on, where the panel's first row goes
   */
  public void multiply(int panel, float[] x, float[] y, int at) {
    switch (format) {
      case FP32 -> {
        rows(panel, x);
        add(panel, x, y, at);
      }
      case BF16 -> {
        halves(panel, x);
        add(panel, x, y, at);
      }
      case INT8 -> {
        for (int lane = 0; lane < PANEL; lane += LANES) bytes(panel, lane, x, y, at + lane);
      }
      case INT4 -> {
        for (int lane = 0; lane < PANEL; lane += LANES) nibbles(panel, lane, x, y, at + lane);
      }
    }
  }

  private int products() {
    return (blocks + 1) * BLOCK + blocks;
  }

  /** Sums the vectors that {@link #rows} or {@link #halves} left. */
  private void add(int panel, float[] x, float[] y, int at) {
    int count = Math.min(PANEL, out - panel * PANEL);
    LaneSums.of(x, products(), count, y, at);
    for (int r = count; r < PANEL; r++) y[at + r] = 0;
  }

  private void rows(int panel, float[] x) {
    int products = products(), last = Math.min(out, (panel + 1) * PANEL);
    for (int row = panel * PANEL; row < last; row++) {
      long from = (long) row * in * Float.BYTES;
      FloatVector a = all(0f), b = all(0f);
      int i = 0;
      for (; i + 2 * LANES <= in; i += 2 * LANES) {
        a = floats(codes, from + (long) i * Float.BYTES).fma(load(x, i), a);
        b = floats(codes, from + (long) (i + LANES) * Float.BYTES).fma(load(x, i + LANES), b);
      }
      for (; i < in; i += LANES) {
        var mask = Lanes.SPECIES.indexInRange(i, in);
        long byteAt = from + (long) i * Float.BYTES;
        a =
            FloatVector.fromMemorySegment(Lanes.SPECIES, codes, byteAt, ORDER, mask)
                .fma(load(x, i), a);
      }
      a.add(b).intoArray(x, products + (row - panel * PANEL) * LANES);
    }
  }

  private void halves(int panel, float[] x) {
    int products = products(), last = Math.min(out, (panel + 1) * PANEL);
    long width = (long) blocks * BLOCK * Short.BYTES;
    for (int row = panel * PANEL; row < last; row++) {
      long from = row * width;
      FloatVector a = all(0f), b = all(0f), c = all(0f), d = all(0f);
      int i = 0;
      for (; i + 4 * LANES <= blocks * BLOCK; i += 4 * LANES) {
        IntVector v = ints(codes, from + 2L * i), w = ints(codes, from + 2L * (i + 2 * LANES));
        a = low(v).fma(load(x, i), a);
        b = high(v).fma(load(x, i + LANES), b);
        c = low(w).fma(load(x, i + 2 * LANES), c);
        d = high(w).fma(load(x, i + 3 * LANES), d);
      }
      for (; i < blocks * BLOCK; i += 2 * LANES) {
        IntVector v = ints(codes, from + 2L * i);
        a = low(v).fma(load(x, i), a);
        b = high(v).fma(load(x, i + LANES), b);
      }
      a.add(c).add(b.add(d)).intoArray(x, products + (row - panel * PANEL) * LANES);
    }
  }

  // The two loops below are written out in one method each: what C2 does not inline, it boxes.

  private void bytes(int panel, int lane, float[] x, float[] y, int at) {
    long code = ((long) panel * blocks * 8 * PANEL + lane) * Integer.BYTES;
    long scale = ((long) panel * (blocks / 2) * PANEL + lane) * Integer.BYTES;
    int sums = blocks * BLOCK, k = 0;
    FloatVector total = all(0f);
    for (int block = 0; block < blocks; block++) {
      FloatVector a = all(0f), b = all(0f), c = all(0f), d = all(0f);
      for (int end = k + BLOCK; k < end; k += 4) {
        IntVector v = ints(codes, code);
        a = number(v.and(0xFF)).fma(all(x[k]), a);
        b = number(v.and(0xFF00)).fma(all(x[k + 1]), b);
        c = number(v.and(0xFF0000)).fma(all(x[k + 2]), c);
        d = number(v.lanewise(VectorOperators.LSHR, 24)).fma(all(x[k + 3]), d);
        code += LINE;
      }
      FloatVector product = a.add(b).add(c.add(d)).sub(x[sums + block]);
      total = product.fma(scale(scale, block), total);
      scale += (block & 1) * LINE;
    }
    total.intoArray(y, at);
  }

  private void nibbles(int panel, int lane, float[] x, float[] y, int at) {
    long code = ((long) panel * blocks * 4 * PANEL + lane) * Integer.BYTES;
    long scale = ((long) panel * (blocks / 2) * PANEL + lane) * Integer.BYTES;
    int sums = blocks * BLOCK, k = 0;
    FloatVector total = all(0f);
    for (int block = 0; block < blocks; block++) {
      FloatVector a = all(0f), b = all(0f), c = all(0f), d = all(0f);
      for (int end = k + BLOCK; k < end; k += 8) {
        IntVector v = ints(codes, code);
        a = number(v.and(0xF)).fma(all(x[k]), a);
        b = number(v.and(0xF0)).fma(all(x[k + 1]), b);
        c = number(v.and(0xF00)).fma(all(x[k + 2]), c);
        d = number(v.and(0xF000)).fma(all(x[k + 3]), d);
        a = number(v.and(0xF0000)).fma(all(x[k + 4]), a);
        b = number(v.and(0xF00000)).fma(all(x[k + 5]), b);
        c = number(v.and(0xF000000)).fma(all(x[k + 6]), c);
        d = number(v.lanewise(VectorOperators.LSHR, 28)).fma(all(x[k + 7]), d);
        code += LINE;
      }
      FloatVector product = a.add(b).add(c.add(d)).sub(x[sums + block]);
      total = product.fma(scale(scale, block), total);
      scale += (block & 1) * LINE;
    }
    total.intoArray(y, at);
  }

  /** The scales of a block: the lower or the upper half of each int. */
  private FloatVector scale(long at, int block) {
    IntVector pairs = ints(scales, at);
    return pairs
        .lanewise(VectorOperators.LSHL, 16 * (1 - (block & 1)))
        .and(0xFFFF0000)
        .reinterpretAsFloats();
  }

  private static FloatVector number(IntVector v) {
    return (FloatVector) v.convert(VectorOperators.I2F, 0);
  }

  /** The even one of each pair of bfloat16. */
  static FloatVector low(IntVector pairs) {
    return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
  }

  /** The odd one. */
  static FloatVector high(IntVector pairs) {
    return pairs.and(0xFFFF0000).reinterpretAsFloats();
  }

  static IntVector ints(MemorySegment from, long at) {
    return IntVector.fromMemorySegment(INTS, from, at, ORDER);
  }

  private static FloatVector floats(MemorySegment from, long at) {
    return FloatVector.fromMemorySegment(Lanes.SPECIES, from, at, ORDER);
  }
}
