package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.TileProduct.Matrix;

/**
 * C += A·B for as many columns as there are. With 32 registers, which AVX-512 has, sixteen sums
 * stay in them, four vectors wide: a step then loads four vectors and four scalars for sixteen
 * multiply-adds, where {@link TileProduct} loads two and four for eight.
 */
final class WideTile {
  private static final int WIDTH = 4 * LANES;

  /** Whether sixteen sums and what they are made of fit into the registers. */
  private static final boolean FITS = LANES == 16;

  private WideTile() {}

  /**
   * C (m × columns) += A (m × n) · B (n × columns).
   *
   * @param m rounded up to {@link TileProduct#ROWS}
   * @param columns whole tiles of {@link TileProduct}
   */
  static void add(Matrix a, Matrix b, Matrix c, int m, int columns, int n) {
    int j = 0;
    if (FITS) {
      for (; j + WIDTH <= columns; j += WIDTH) {
        for (int i = 0; i < m; i += TileProduct.ROWS) {
          int from = a.at() + i * a.row(), to = c.at() + i * c.row() + j;
          add(
              a.data(),
              from,
              a.row(),
              a.column(),
              b.data(),
              b.at() + j,
              b.row(),
              c.data(),
              to,
              c.row(),
              n);
        }
      }
    }
    for (; j < columns; j += TileProduct.WIDTH) {
      Matrix right = Matrix.of(b.data(), b.at() + j, b.row());
      TileProduct.add(a, right, Matrix.of(c.data(), c.at() + j, c.row()), m, n);
    }
  }

  private static void add(
      float[] a,
      int a0,
      int aRow,
      int aColumn,
      float[] b,
      int b0,
      int bRow,
      float[] c,
      int c0,
      int cRow,
      int n) {
    int a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
    int c1 = c0 + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
    FloatVector s00 = load(c, c0), s01 = load(c, c0 + LANES);
    FloatVector s02 = load(c, c0 + 2 * LANES), s03 = load(c, c0 + 3 * LANES);
    FloatVector s10 = load(c, c1), s11 = load(c, c1 + LANES);
    FloatVector s12 = load(c, c1 + 2 * LANES), s13 = load(c, c1 + 3 * LANES);
    FloatVector s20 = load(c, c2), s21 = load(c, c2 + LANES);
    FloatVector s22 = load(c, c2 + 2 * LANES), s23 = load(c, c2 + 3 * LANES);
    FloatVector s30 = load(c, c3), s31 = load(c, c3 + LANES);
    FloatVector s32 = load(c, c3 + 2 * LANES), s33 = load(c, c3 + 3 * LANES);
    for (int k = 0; k < n; k++) {
      int at = b0 + k * bRow, i = k * aColumn;
      FloatVector y0 = load(b, at), y1 = load(b, at + LANES);
      FloatVector y2 = load(b, at + 2 * LANES), y3 = load(b, at + 3 * LANES);
      FloatVector x = all(a[a0 + i]);
      s00 = x.fma(y0, s00);
      s01 = x.fma(y1, s01);
      s02 = x.fma(y2, s02);
      s03 = x.fma(y3, s03);
      x = all(a[a1 + i]);
      s10 = x.fma(y0, s10);
      s11 = x.fma(y1, s11);
      s12 = x.fma(y2, s12);
      s13 = x.fma(y3, s13);
      x = all(a[a2 + i]);
      s20 = x.fma(y0, s20);
      s21 = x.fma(y1, s21);
      s22 = x.fma(y2, s22);
      s23 = x.fma(y3, s23);
      x = all(a[a3 + i]);
      s30 = x.fma(y0, s30);
      s31 = x.fma(y1, s31);
      s32 = x.fma(y2, s32);
      s33 = x.fma(y3, s33);
    }
    s00.intoArray(c, c0);
    s01.intoArray(c, c0 + LANES);
    s02.intoArray(c, c0 + 2 * LANES);
    s03.intoArray(c, c0 + 3 * LANES);
    s10.intoArray(c, c1);
    s11.intoArray(c, c1 + LANES);
    s12.intoArray(c, c1 + 2 * LANES);
    s13.intoArray(c, c1 + 3 * LANES);
    s20.intoArray(c, c2);
    s21.intoArray(c, c2 + LANES);
    s22.intoArray(c, c2 + 2 * LANES);
    s23.intoArray(c, c2 + 3 * LANES);
    s30.intoArray(c, c3);
    s31.intoArray(c, c3 + LANES);
    s32.intoArray(c, c3 + 2 * LANES);
    s33.intoArray(c, c3 + 3 * LANES);
  }
}
