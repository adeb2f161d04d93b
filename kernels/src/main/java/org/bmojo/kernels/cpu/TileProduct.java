package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;

import jdk.incubator.vector.FloatVector;

/**
 * The one inner loop of attention: C += A·B for a tile two vectors wide. A's elements are broadcast
 * one by one, so they may lie in any order; rows of B and C are vectors.
 *
 * <p>Four rows at a time make eight sums, which stay in registers on every machine (AVX2 has
 * sixteen) and hide the latency of multiply-add; a step loads two vectors and four scalars for
 * eight of them.
 */
final class TileProduct {
  /** Columns of B and C: two vectors. */
  static final int WIDTH = 2 * LANES;

  /** Rows of A and C come in multiples of this. */
  static final int ROWS = 4;

  private TileProduct() {}

  /** {@code count} rounded up to {@link #ROWS}. */
  static int paddedRows(int count) {
    return (count + ROWS - 1) / ROWS * ROWS;
  }

  /** {@code count} rounded up to {@link #WIDTH}. */
  static int paddedColumns(int count) {
    return (count + WIDTH - 1) / WIDTH * WIDTH;
  }

  /**
   * A matrix inside an array: element (i, j) is {@code data[at + i·row + j·column]}. Of B and C,
   * whose columns are vectors, {@code column} is 1.
   */
  record Matrix(float[] data, int at, int row, int column) {
    static Matrix of(float[] data, int at, int row) {
      return new Matrix(data, at, row, 1);
    }

    static Matrix transposed(float[] data, int at, int row) {
      return new Matrix(data, at, 1, row);
    }
  }

  /** C (m × WIDTH) += A (m × n) · B (n × WIDTH); m is rounded up to whole tiles. */
  static void add(Matrix a, Matrix b, Matrix c, int m, int n) {
    for (int i = 0; i < m; i += ROWS) {
      addRows(
          a.data,
          a.at + i * a.row,
          a.row,
          a.column,
          b.data,
          b.at,
          b.row,
          c.data,
          c.at + i * c.row,
          c.row,
          n);
    }
  }

  private static void addRows(
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
    FloatVector s10 = load(c, c1), s11 = load(c, c1 + LANES);
    FloatVector s20 = load(c, c2), s21 = load(c, c2 + LANES);
    FloatVector s30 = load(c, c3), s31 = load(c, c3 + LANES);
    for (int k = 0; k < n; k++) {
      FloatVector left = load(b, b0 + k * bRow), right = load(b, b0 + k * bRow + LANES);
      int at = k * aColumn;
      FloatVector x = all(a[a0 + at]);
      s00 = x.fma(left, s00);
      s01 = x.fma(right, s01);
      x = all(a[a1 + at]);
      s10 = x.fma(left, s10);
      s11 = x.fma(right, s11);
      x = all(a[a2 + at]);
      s20 = x.fma(left, s20);
      s21 = x.fma(right, s21);
      x = all(a[a3 + at]);
      s30 = x.fma(left, s30);
      s31 = x.fma(right, s31);
    }
    s00.intoArray(c, c0);
    s01.intoArray(c, c0 + LANES);
    s10.intoArray(c, c1);
    s11.intoArray(c, c1 + LANES);
    s20.intoArray(c, c2);
    s21.intoArray(c, c2 + LANES);
    s30.intoArray(c, c3);
    s31.intoArray(c, c3 + LANES);
  }
}
