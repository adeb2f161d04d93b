package org.bmojo.store.lucene;

import org.bmojo.error.BadInput;
import org.bmojo.store.StoreLimits;

/**
 * How a store on disk is written and searched.
 *
 * @param limits how large it may grow
 * @param precision of the values; a store keeps the one it was made with
 * @param width candidates that a search follows through a graph: more find better, and take longer
 * @param graphFrom entries of one layer and head in one segment from which on it gets a graph
 * @param threads that search a batch of queries
 */
public record LuceneConfig(
    StoreLimits limits, Precision precision, int width, int graphFrom, int threads) {
  /** No limits, bf16, and as measured in the store's benchmark. */
  public static final LuceneConfig STANDARD =
      new LuceneConfig(StoreLimits.NONE, Precision.BF16, 64, 10_000, 2);

  /** Refuses searches that could find nothing. */
  public LuceneConfig {
    if (width < 1 || graphFrom < 1 || threads < 1) {
      throw new BadInput(
          "width %d, graphFrom %d, threads %d".formatted(width, graphFrom, threads),
          "expected at least 1 of each",
          "Correct the store's configuration");
    }
  }

  /** This with other limits. */
  public LuceneConfig with(StoreLimits other) {
    return new LuceneConfig(other, precision, width, graphFrom, threads);
  }

  /** This with another precision. */
  public LuceneConfig with(Precision other) {
    return new LuceneConfig(limits, other, width, graphFrom, threads);
  }
}
