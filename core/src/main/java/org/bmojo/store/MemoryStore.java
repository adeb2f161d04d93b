package org.bmojo.store;

import java.util.List;

/**
 * Surprising tokens, kept until they are deleted. One thread writes, any number read; readers see
 * the last commit and never wait for the writer.
 *
 * <p>Every method throws {@link org.bmojo.error.BadInput} for arguments that are not of the store's
 * model, before anything is changed.
 */
public interface MemoryStore extends AutoCloseable {
  /** Whose memory this is. */
  StoreIdentity identity();

  /**
   * Adds entries, which searches find after the next commit.
   *
   * @throws org.bmojo.error.BadInput if one of them does not fit (then none is added), or if the
   *     store can no longer be written; what is committed can still be read
   */
  void append(List<Entry> entries);

  /** Makes everything appended durable and visible, and brings the store within its limits. */
  void commit();

  /** What the last commit contains, to be closed by the caller. */
  Snapshot snapshot();

  /** {@link Snapshot#search} in the last commit. */
  default List<List<Hit>> search(int layer, int head, float[][] queries, int best, Filter filter) {
    try (Snapshot now = snapshot()) {
      return now.search(layer, head, queries, best, filter);
    }
  }

  /** Entries in the last commit. */
  default long size() {
    try (Snapshot now = snapshot()) {
      return now.size();
    }
  }

  /**
   * Commits, then deletes all that a session left. On return no copy remains, but for what open
   * snapshots still hold.
   *
   * @return entries deleted
   */
  long deleteSession(String session);

  /** The same for all that was read in a document. */
  long deleteDocument(String document);

  /**
   * The same for all that was stored earlier than {@code before}, in milliseconds since 1970.
   *
   * @see Source#storedAt
   */
  long expire(long before);

  /**
   * Commits, and arranges what is stored for the quickest searches: worth its time once, after much
   * was stored that will now be searched.
   */
  default void compact() {
    commit();
  }

  /** Commits, unless the store can no longer be written, and closes. */
  @Override
  void close();
}
