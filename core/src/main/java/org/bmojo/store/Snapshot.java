package org.bmojo.store;

import java.util.List;

/**
 * What a store contained at its last commit. Later writes and deletions leave it unchanged; closing
 * it lets go of what was deleted since. For any number of threads.
 */
public interface Snapshot extends AutoCloseable {
  /** Entries. */
  long size();

  /**
   * For every query the entries whose keys have the largest inner product with it.
   *
   * @param layer from 0
   * @param head key/value head, from 0
   * @param queries (Q, D)
   * @param best at most so many entries for each
   * @return Q lists, best first; of equal scores the later position comes first
   * @throws org.bmojo.error.BadInput if layer, head or dimension are not those of the store
   */
  List<List<Hit>> search(int layer, int head, float[][] queries, int best, Filter filter);

  @Override
  void close();
}
