package org.bmojo.mixer;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Where the rows of a batch stand: how many tokens each has read, which is the position of its next
 * one. Rows that stand at one position are in step; several tokens at once need that, one does not.
 */
final class Positions {
  private long[] at;

  private Positions(long[] at) {
    this.at = at;
  }

  /** Before the first token of {@code batch} sequences. */
  static Positions start(long batch) {
    return new Positions(new long[Math.toIntExact(batch)]);
  }

  /** B. */
  int batch() {
    return at.length;
  }

  /** Of one row. */
  long of(int row) {
    return at[row];
  }

  /** A copy of all. */
  long[] all() {
    return at.clone();
  }

  long largest() {
    return Arrays.stream(at).max().orElse(0);
  }

  boolean inStep() {
    for (long p : at) if (p != at[0]) return false;
    return true;
  }

  /**
   * The one position of all rows.
   *
   * @throws BadInput if they are not in step
   */
  long common() {
    if (inStep()) return at.length == 0 ? 0 : at[0];
    throw new BadInput(
        "sequences at positions " + Arrays.toString(at),
        "expected them in step to read several tokens at once",
        "Read each on by itself, or all by one token");
  }

  void advance(long tokens) {
    for (int r = 0; r < at.length; r++) at[r] += tokens;
  }

  void set(int row, long position) {
    at[row] = position;
  }

  void set(long position) {
    Arrays.fill(at, position);
  }

  void retain(int... rows) {
    at = Arrays.stream(rows).mapToLong(r -> at[r]).toArray();
  }

  void append(Positions more) {
    long[] all = Arrays.copyOf(at, at.length + more.at.length);
    System.arraycopy(more.at, 0, all, at.length, more.at.length);
    at = all;
  }

  /** The rows that stand at a multiple of {@code chunk}, by position. */
  Map<Long, int[]> atMultiplesOf(int chunk) {
    Map<Long, int[]> groups = new TreeMap<>();
    for (long p : at) {
      if (p % chunk == 0) {
        groups.computeIfAbsent(
            p, same -> IntStream.range(0, at.length).filter(r -> at[r] == same).toArray());
      }
    }
    return groups;
  }

  /** (B) float64 or float32, on the CPU. */
  Tensor tensor(ScalarType type) {
    return Tensors.of(Arrays.stream(at).asDoubleStream().toArray()).to(type);
  }

  /** Row numbers as libtorch takes them, on the device of {@code like}. */
  static Tensor index(Tensor like, long... rows) {
    Tensor exact = Tensors.of(Arrays.stream(rows).asDoubleStream().toArray());
    return exact.to(like.device(), ScalarType.Long);
  }
}
