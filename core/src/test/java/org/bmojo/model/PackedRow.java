package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertSame;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;

/**
 * A row of several documents, for those who ask whether they know of each other.
 *
 * @param starts where they begin, the first at 0
 * @param tokens of the row
 * @param vocabulary of its ids
 */
@SuppressWarnings("ArrayRecordComponent") // handed on, never compared
record PackedRow(int[] starts, int tokens, int vocabulary) {
  /** Where a document ends. */
  int end(int document) {
    return document + 1 < starts.length ? starts[document + 1] : tokens;
  }

  /** Ids of the whole row. */
  long[] ids(long seed) {
    return new SplittableRandom(seed).longs(tokens, 0, vocabulary).toArray();
  }

  /** As {@link Batch#begin} tells, (1, T). */
  Tensor begin() {
    int[] begin = new int[tokens];
    for (int d = 0; d < starts.length; d++) Arrays.fill(begin, starts[d], end(d), starts[d]);
    return Tensor.create(begin, 1, tokens);
  }

  /** As a batch of one. */
  static Tensor row(long... ids) {
    return Tensor.create(ids, 1, ids.length);
  }

  /** Some positions of logits (1, T, V). */
  static Tensor part(Tensor logits, long from, long count) {
    return logits.narrow(1, from, count).contiguous();
  }

  /** Bit for bit, and without the option another document does change something. */
  void assertNoLogitDependsOnAnotherDocument(LanguageModel model) {
    long[] ids = ids(1);
    Tensor packed = model.logits(row(ids), begin(), null).cpu();
    Tensor joined = model.logits(row(ids), null).cpu();
    for (int d = 0; d < starts.length; d++) {
      int from = starts[d], count = end(d) - from;
      long[] others = ids(2);
      System.arraycopy(ids, from, others, from, count);
      Tensor again = model.logits(row(others), begin(), null).cpu();
      assertSame("document " + d, part(again, from, count), part(packed, from, count));
      if (d == 0) continue;
      Tensor leaked = part(model.logits(row(others), null).cpu(), from, count);
      assertThat(leaked.equal(part(joined, from, count))).as("joined, document " + d).isFalse();
    }
  }
}
