package org.bmojo.tasks;

import java.util.Arrays;

/**
 * A sequence in which each token is the target of the one before it. Tokens that memory can answer
 * are marked; training labels every next token, tests only the marked ones.
 */
final class ShiftedSequence {
  private static final int UNMARKED = -2;

  private final int[] tokens;
  private final int[] distances; // of marked tokens, else UNMARKED
  private final int[] pairs;
  private int size;

  /** Room for a given number of tokens, one more than the positions they become. */
  ShiftedSequence(int capacity) {
    tokens = new int[capacity];
    distances = new int[capacity];
    pairs = new int[capacity];
  }

  int size() {
    return size;
  }

  void add(int token, int pairsShown) {
    addAnswer(token, pairsShown, UNMARKED);
  }

  /** A token that repeats the one after position {@code size() − 1 − distance}. */
  void addAnswer(int token, int pairsShown, int distance) {
    tokens[size] = token;
    pairs[size] = pairsShown;
    distances[size] = distance;
    size++;
  }

  /** Moves all to the right end and fills the left with the pad id. */
  void padLeft(int pad) {
    int shift = tokens.length - size;
    shiftRight(tokens, shift, pad);
    shiftRight(pairs, shift, 0);
    shiftRight(distances, shift, UNMARKED);
    size = tokens.length;
  }

  private void shiftRight(int[] a, int shift, int filling) {
    System.arraycopy(a, 0, a, shift, size);
    Arrays.fill(a, 0, shift, filling);
  }

  /** Writes positions 0 … size − 2; the last token is only ever a target. */
  void write(Split split, BatchWriter out) {
    for (int t = 0; t + 1 < size; t++) {
      boolean marked = distances[t + 1] != UNMARKED;
      if (marked || split == Split.TRAIN) {
        out.labelled(
            tokens[t], tokens[t + 1], pairs[t + 1], marked ? distances[t + 1] : Batch.NONE);
      } else {
        out.token(tokens[t]);
      }
    }
  }
}
