/**
 * The embedded store: a folder with {@code store.json}, which says whose memory it is, and a Lucene
 * index.
 *
 * <p>An entry is a document. Its key lies in a vector field of its own layer and head, so that each
 * of them has a graph to itself and a search never meets another head's keys; keys keep full
 * precision, values are bf16 or 8 bit. New entries land in small segments without a graph, which
 * are searched by comparing every key; graphs are built where segments are merged, in the
 * background. So writing is fast, and a search soon after much writing slower than later.
 *
 * <p>Start at {@link org.bmojo.store.lucene.LuceneStore}; {@code SoundSegments} opens what is left
 * of a damaged index.
 */
@NullMarked
package org.bmojo.store.lucene;

import org.jspecify.annotations.NullMarked;
