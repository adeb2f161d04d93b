package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;

import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;

/**
 * How a recurrence with a matrix per head for a state is cut: a task for each sequence and head,
 * and its tokens into pieces. Arrays of a piece are [token][state] and [token][value], those of a
 * state [state][value]; all are zero beyond the last state and value.
 *
 * @param states N, rows of a state
 * @param values P, its columns
 */
record HeadLayout(int batch, int tokens, int heads, int states, int values) {
  /** Tokens of a piece: what backward reads of them while it walks stays in a near cache. */
  static final int PIECE = 16;

  /**
   * Of the tensors that every such recurrence has.
   *
   * @param q (B, T, H, N)
   * @param v (B, T, H, P)
   */
  static HeadLayout of(Tensor q, Tensor v) {
    long[] shape = Shapes.of(q);
    return new HeadLayout(
        Math.toIntExact(shape[0]),
        Math.toIntExact(shape[1]),
        Math.toIntExact(shape[2]),
        Math.toIntExact(shape[3]),
        Math.toIntExact(v.size(3)));
  }

  int tasks() {
    return batch * heads;
  }

  int sequence(int task) {
    return task / heads;
  }

  int head(int task) {
    return task % heads;
  }

  int pieces() {
    return (tokens + PIECE - 1) / PIECE;
  }

  /** Tokens of a piece that starts at {@code from}. */
  int length(int from) {
    return Math.min(PIECE, tokens - from);
  }

  /**
   * Floats from one token's states to the next one's: a vector more than they take, because rows a
   * power of two apart would fall into the same few cache sets.
   */
  int keyStride() {
    return Lanes.padded(states) + LANES;
  }

  /** Floats from one token's values to the next one's. */
  int valueStride() {
    return Lanes.padded(values) + LANES;
  }

  /** Floats from one row of a state to the next. */
  int width() {
    return Lanes.padded(values);
  }

  /** Floats of a state, whose rows are taken {@link HeadPiece#ROWS} at a time. */
  int stateSize() {
    return (states + HeadPiece.ROWS - 1) / HeadPiece.ROWS * HeadPiece.ROWS * width();
  }

  /** A task's matrix of a tensor (B, H, N, P). */
  void readState(Floats from, int task, float[] to) {
    long at = (long) task * states * values;
    for (int n = 0; n < states; n++) from.read(at + (long) n * values, to, n * width(), values);
  }

  /** The way back of {@link #readState}. */
  void writeState(float[] from, int task, Floats to) {
    long at = (long) task * states * values;
    for (int n = 0; n < states; n++) to.write(at + (long) n * values, from, n * width(), values);
  }

  /** The checkpoints' shape: for each task and piece the state before it. */
  long[] checkpoints() {
    return new long[] {tasks(), pieces(), stateSize()};
  }

  long checkpointAt(int task, int piece) {
    return ((long) task * pieces() + piece) * stateSize();
  }

  /** A task's rows of a tensor (B, T, H, D). */
  HeadRows rows(Floats memory, int task, int dim) {
    long at = ((long) sequence(task) * tokens * heads + head(task)) * dim;
    return new HeadRows(memory, at, (long) heads * dim, tokens, dim);
  }

  /** Where a task's number of a token is in a tensor (B, T, H). */
  long numberAt(int task, int token) {
    return ((long) sequence(task) * tokens + token) * heads + head(task);
  }
}
