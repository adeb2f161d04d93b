package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;

import java.util.Arrays;
import org.bmojo.kernels.cpu.TileProduct.Matrix;
import org.bmojo.kernels.torch.Floats;

/**
 * A piece of one head's keys and the matrix before it, M_t = decay_t·M_{t−1} + k_t k_tᵀ. Rows of
 * all arrays are {@link #stride} floats apart and zero from D on.
 */
final class RidgePiece {
  final RidgeInputs in;
  final int dim; // D
  final int columns; // D and zeros, as many as matrix products want
  final int stride; // a vector more, lest rows fall into the same few cache sets
  final float[] matrix; // M
  final float[] k; // [token][state]
  final float[] decay = new float[PIECE];
  final double[] exactDecay = new double[PIECE];
  final float[] fromStart = new float[PIECE]; // what is left of M at a token
  final float[] toEnd = new float[PIECE]; // what will be left of its key after the piece

  RidgePiece(RidgeInputs in) {
    this.in = in;
    dim = in.layout().states();
    columns = TileProduct.paddedColumns(dim);
    stride = columns + LANES;
    matrix = matrix();
    k = rows(PIECE);
  }

  /** Room for a matrix. */
  float[] matrix() {
    return rows(TileProduct.paddedRows(dim));
  }

  /** Room for a vector of each of {@code count} tokens. */
  float[] rows(int count) {
    return new float[count * stride];
  }

  /** The {@code index}-th matrix of a tensor (…, D, D). */
  void readMatrix(Floats from, long index, float[] to) {
    long at = index * dim * dim;
    for (int i = 0; i < dim; i++) from.read(at + (long) i * dim, to, i * stride, dim);
  }

  /** The way back of {@link #readMatrix}. */
  void writeMatrix(float[] from, long index, Floats to) {
    long at = index * dim * dim;
    for (int i = 0; i < dim; i++) to.write(at + (long) i * dim, from, i * stride, dim);
  }

  /** Brings in the keys and decays of {@code count} tokens. */
  void read(int task, int from, int count) {
    read(in.k(), task, from, count, k);
    for (int t = 0; t < count; t++) exactDecay[t] = in.decay(task, from + t);
    Arrays.fill(toEnd, 0);
    double whole = 1, rest = 1;
    for (int t = 0; t < count; t++) {
      decay[t] = (float) exactDecay[t];
      fromStart[t] = (float) (whole *= exactDecay[t]);
    }
    for (int t = count - 1; t >= 0; t--) {
      toEnd[t] = (float) rest;
      rest *= exactDecay[t];
    }
  }

  /** A task's rows of a tensor (B, T, H, D), and zeros for the piece's other tokens. */
  void read(Floats memory, int task, int from, int count, float[] to) {
    in.layout().rows(memory, task, dim).read(from, count, to, stride);
    Arrays.fill(to, count * stride, to.length, 0);
  }

  /**
   * Turns {@code exact}, the matrix, into that after the piece. The solution magnifies what a
   * matrix is off by up to fifty times (its condition), so that sums over long sequences want more
   * digits than the products that read them.
   */
  void advance(int count, double[] exact) {
    for (int t = 0; t < count; t++) {
      double kept = exactDecay[t];
      for (int i = 0; i < dim; i++) {
        double own = k[t * stride + i];
        for (int j = 0, at = i * stride; j < dim; j++) {
          exact[at + j] = kept * exact[at + j] + own * k[t * stride + j];
        }
      }
    }
    for (int i = 0; i < exact.length; i++) matrix[i] = (float) exact[i];
  }

  /** to_t = factor_{first+t}·rows_t. */
  void scale(float[] rows, float[] factor, float[] to, int first) {
    for (int i = 0, t = first; i < to.length; i += stride, t++) {
      float by = factor[t];
      for (int j = i; j < i + columns; j += LANES) load(rows, j).mul(by).intoArray(to, j);
    }
  }

  /** {@code to} (D, D) += Σ a_t b_tᵀ. */
  void addOuter(float[] a, float[] b, float[] to) {
    WideTile.add(
        Matrix.transposed(a, 0, stride),
        Matrix.of(b, 0, stride),
        Matrix.of(to, 0, stride),
        dim,
        columns,
        PIECE);
  }

  /** to_t += rows_t · {@code by} (D, D). */
  void addProduct(float[] rows, float[] by, float[] to) {
    WideTile.add(
        Matrix.of(rows, 0, stride),
        Matrix.of(by, 0, stride),
        Matrix.of(to, 0, stride),
        to.length / stride,
        columns,
        dim);
  }
}
