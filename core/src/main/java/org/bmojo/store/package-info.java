/**
 * Memory in storage: tokens that were surprising but no longer fit beside the window, kept outside
 * the model and found again by inner product.
 *
 * <pre>
 *   layer ─ offer ─▸ AsyncWriter ─ append, commit ─▸ MemoryStore ─ search ─▸ layer
 *      never waits;  on a thread of its own          the last commit
 *      a full queue drops the least surprising
 *
 *   ExactStore               in memory, every key compared: the truth
 *   lucene.LuceneStore       on disk, a graph of keys per layer and head
 * </pre>
 *
 * <p>An {@link org.bmojo.store.Entry} is what one key/value head of one layer made of one token:
 * key (before rotation) and value, where it stood, how surprising it was, and where it came from. A
 * search sees exactly what the last commit contains, never a part of a write. What is committed
 * stays, whatever happens to the process, until it is deleted, expires, or has to make room: at a
 * commit that finds more entries than {@link org.bmojo.store.StoreLimits} allows, the least
 * surprising go, of equals the oldest.
 *
 * <p>Worked example, D = 2, entries a: key (1, 0), b: key (0, 2), c: key (3, 3) not yet committed.
 * The best 1 for the query (1, 1) is b with 2; after the commit it is c with 6.
 *
 * <p>Entries are text in another shape: a key and a value can betray the words they were made from.
 * Nothing here is encrypted; put the folder on an encrypted file system where that matters.
 *
 * <p>A new store is an implementation of {@link org.bmojo.store.MemoryStore} whose test inherits
 * {@code StoreContract}.
 */
@NullMarked
package org.bmojo.store;

import org.jspecify.annotations.NullMarked;
