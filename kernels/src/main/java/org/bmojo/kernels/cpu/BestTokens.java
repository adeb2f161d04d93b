package org.bmojo.kernels.cpu;

import java.util.Arrays;

/**
 * The E best of the tokens offered so far: a heap over plain arrays with the worst at its root.
 * Better is a higher score or, of equal ones, a later position.
 */
final class BestTokens {
  private final double[] score;
  private final long[] position;
  private final int[] row;
  private int size;

  BestTokens(int capacity) {
    score = new double[capacity];
    position = new long[capacity];
    row = new int[capacity];
  }

  /** Offers a token; {@code at} is where it stands among the candidates. */
  void offer(double itsScore, long itsPosition, int at) {
    if (itsScore == Double.NEGATIVE_INFINITY) return;
    if (size < score.length) {
      siftUp(size++, itsScore, itsPosition, at);
    } else if (size > 0 && worse(0, itsScore, itsPosition)) {
      siftDown(itsScore, itsPosition, at);
    }
  }

  /**
   * Drops all if they are older than {@code oldest}: they are of one document, and it has ended.
   */
  void forgetBefore(long oldest) {
    if (size > 0 && position[0] < oldest) size = 0;
  }

  /** Whether the token in {@code slot} is worse than another. */
  private boolean worse(int slot, double otherScore, long otherPosition) {
    return score[slot] < otherScore
        || (score[slot] == otherScore && position[slot] < otherPosition);
  }

  private void siftUp(int slot, double itsScore, long itsPosition, int at) {
    while (slot > 0) {
      int parent = (slot - 1) / 2;
      if (worse(parent, itsScore, itsPosition)) break;
      move(parent, slot);
      slot = parent;
    }
    put(slot, itsScore, itsPosition, at);
  }

  private void siftDown(double itsScore, long itsPosition, int at) {
    int slot = 0;
    for (int child = 1; child < size; child = 2 * slot + 1) {
      if (child + 1 < size && worse(child + 1, score[child], position[child])) child++;
      if (!worse(child, itsScore, itsPosition)) break;
      move(child, slot);
      slot = child;
    }
    put(slot, itsScore, itsPosition, at);
  }

  private void move(int from, int to) {
    put(to, score[from], position[from], row[from]);
  }

  private void put(int slot, double itsScore, long itsPosition, int at) {
    score[slot] = itsScore;
    position[slot] = itsPosition;
    row[slot] = at;
  }

  /**
   * Writes the tokens by ascending position; empty slots, which come last, get position −1 and row
   * 0.
   */
  void write(long[] positions, long[] rows, int from) {
    long[] order = new long[size]; // position and slot in one number
    for (int slot = 0; slot < size; slot++) order[slot] = position[slot] * score.length + slot;
    Arrays.sort(order);
    for (int i = 0; i < score.length; i++) {
      int slot = i < size ? (int) (order[i] % score.length) : -1;
      positions[from + i] = slot < 0 ? -1 : position[slot];
      rows[from + i] = slot < 0 ? 0 : row[slot];
    }
  }
}
