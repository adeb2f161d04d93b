package org.bmojo.mixer;

import org.bmojo.error.BadInput;

/**
 * Memory in storage: tokens that eidetic memory refused or let go come back, for a chunk, if their
 * keys resemble what was asked of late.
 *
 * @param retrieved R, entries that each key/value head gets back for a chunk
 * @param summary how the queries that ask become a score for an entry
 * @param queries how many of the newest queries ask, that of the chunk's first token included
 */
public record StorageConfig(int retrieved, Summary summary, int queries) {
  /** What several queries, of several heads that share their keys, think of an entry. */
  public enum Summary {
    /** Inner product with the mean of the queries. */
    MEAN,
    /** The largest of their inner products: whoever needs an entry need not ask with others. */
    MAX
  }

  /** Refuses to bring back nothing, or to ask nothing. */
  public StorageConfig {
    if (retrieved < 1 || queries < 1) {
      throw new BadInput(
          "storage with %d retrieved for %d queries".formatted(retrieved, queries),
          "expected at least 1 of each",
          "Leave storage out for a layer without it");
    }
  }

  /** The best {@code retrieved} by {@link Summary#MAX} over the newest {@code queries}. */
  public static StorageConfig of(int retrieved, int queries) {
    return new StorageConfig(retrieved, Summary.MAX, queries);
  }
}
