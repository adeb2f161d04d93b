package org.bmojo.mixer;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.bmojo.store.Hit;

/**
 * Storage as one layer of one sequence sees it: a place for what eidetic memory lets go, that can
 * be asked for what resembles a query. A layer without one keeps all its past tokens itself, and so
 * needs more room the more it reads.
 *
 * <p>Neither method waits for a disk. An answer counts from the token on at which it has arrived.
 */
public interface Storage {
  /** The sequence's name; its own entries are told from others by it. */
  String session();

  /**
   * Takes a token that is in eidetic memory no longer, or never was.
   *
   * @param position of the token
   * @param score what eidetic memory thought of it
   * @param keys (G, D), unrotated
   * @param values (G, D)
   */
  void keep(long position, float score, float[][] keys, float[][] values);

  /**
   * Asks for the entries whose keys have the largest inner product with any of the queries.
   *
   * @param queries (G, Q, D)
   * @param best at most so many for each key/value head
   * @param before of the sequence's own entries, only those of earlier positions
   * @return for each head, best first
   */
  CompletableFuture<List<List<Hit>>> ask(float[][][] queries, int best, long before);

  /** How long a step waits for an answer at most; several tokens at once wait until it is there. */
  Duration patience();

  /** Told which entries the layer attends to from now on, for each head. */
  default void using(List<List<Hit>> hits) {}
}
