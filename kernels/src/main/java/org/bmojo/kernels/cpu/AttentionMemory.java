package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Everything there is to attend to, walked through in blocks of keys. */
final class AttentionMemory {
  /** Told of every block while the {@link KeyBlock} holds it. */
  interface Visitor {
    /**
     * One block.
     *
     * @param part {@link #WINDOW}, {@link #FADING}, or {@link #SETS} and the number of the set
     * @param row of the part that the block begins at
     */
    void visit(int part, int row);
  }

  static final int WINDOW = 0;
  static final int FADING = 1;
  static final int SETS = 2;

  private final Geometry geometry;
  private final int tokens;
  private final int heads;
  private final Band window;
  private final @Nullable Band fading;
  private final @Nullable Sets sets;
  private final @Nullable DocumentRows documents;

  /** Keys (B, S, G, D) that queries see while their age is in [youngest, oldest]. */
  private record Band(int part, Stream of, Floats k, Floats v, long youngest, long oldest) {
    static Band of(int part, Stream s, long youngest, long oldest) {
      return new Band(part, s, Floats.of(s.k()), Floats.of(s.v()), youngest, oldest);
    }
  }

  /** Sets (B, M, E, G, D). */
  private record Sets(Eidetic of, Floats k, Floats v, Floats bias) {
    static Sets of(Eidetic e) {
      return new Sets(e, Floats.of(e.k()), Floats.of(e.v()), Floats.of(e.bias()));
    }
  }

  AttentionMemory(Inputs in) {
    geometry = in.geometry();
    tokens = (int) in.q().size(1);
    heads = (int) in.q().size(2);
    long w = geometry.window();
    window = Band.of(WINDOW, in.window(), 0, w - 1);
    Stream old = in.fading();
    fading = old == null ? null : Band.of(FADING, old, w, w + geometry.fading() - 1);
    sets = in.eidetic() == null ? null : Sets.of(in.eidetic());
    documents = DocumentRows.of(in.begin());
  }

  /**
   * Loads, one after the other, all keys that any of queries query … query+queries−1 of sequence b
   * sees, in the order of time, window first.
   */
  void forEach(int b, int group, int query, int queries, KeyBlock block, Visitor visitor) {
    walk(window, b, group, query, queries, block, visitor);
    if (fading != null) walk(fading, b, group, query, queries, block, visitor);
    if (sets != null) walk(sets, b, group, query, queries, block, visitor);
  }

  /** The first row of the stream of S rows that query {@code query} or a later one sees. */
  static int firstRow(long rows, long tokens, long query, long oldest) {
    return (int) Math.max(0, rows - tokens + query - oldest);
  }

  private void walk(
      Band band, int b, int group, int query, int queries, KeyBlock block, Visitor visitor) {
    Tensor t = band.of.k();
    HeadRows keys = HeadRows.of(band.k, t, b, group), values = HeadRows.of(band.v, t, b, group);
    long queryRow = keys.rows() - tokens + (long) query;
    int past = keys.rows() - tokens; // rows before the first query
    int first = firstRow(keys.rows(), tokens, query, band.oldest);
    if (documents != null) first = Math.max(first, past + documents.begin(b, query));
    long end = queryRow + queries - band.youngest;
    for (int row = first; row < end; row += KeyBlock.KEYS) {
      int count = (int) Math.min(KeyBlock.KEYS, end - row);
      long born = row - queryRow;
      block.slide(keys, values, row, count, born + band.youngest, born + band.oldest);
      if (documents != null) {
        for (int r = 0; r < count; r++) {
          block.end[r] = documents.end(b, row + r - past, query) - query;
        }
      }
      visitor.visit(band.part, row);
    }
  }

  private void walk(
      Sets all, int b, int group, int query, int queries, KeyBlock block, Visitor visitor) {
    Tensor t = all.of.k();
    long chunks = t.size(1), begin = geometry.start() + query;
    long firstChunk = geometry.start() / geometry.chunk();
    for (long c = begin / geometry.chunk(); c * geometry.chunk() < begin + queries; c++) {
      int set = (int) (c - firstChunk);
      long outer = b * chunks + set;
      HeadRows keys = HeadRows.of(all.k, t, outer, group);
      HeadRows values = HeadRows.of(all.v, t, outer, group);
      long firstQuery = c * geometry.chunk() - begin;
      long lastQuery = firstQuery + geometry.chunk() - 1;
      if (documents != null) {
        int end = documents.end(b, begin + firstQuery - geometry.start(), 0);
        lastQuery = Math.min(lastQuery, end - query - 1L);
      }
      if (lastQuery < 0) continue; // all of these queries are of a later document
      for (int row = 0; row < keys.rows(); row += KeyBlock.KEYS) {
        int count = bias(all.bias, outer, group, t, row, block);
        if (count == 0) continue; // slots that are all empty
        block.fixed(keys, values, row, count, firstQuery, lastQuery);
        visitor.visit(SETS + set, row);
      }
    }
  }

  /** Loads a block's biases; returns the number of slots up to the last that is not empty. */
  private int bias(Floats bias, long outer, int group, Tensor t, int row, KeyBlock block) {
    long slots = t.size(2);
    int shared = heads / (int) t.size(3), used = 0;
    int count = (int) Math.min(KeyBlock.KEYS, slots - row);
    for (int h = 0; h < shared; h++) {
      long at = (outer * heads + (long) group * shared + h) * slots + row;
      for (int e = 0; e < count; e++) {
        float value = bias.get(at + e);
        block.bias[h * KeyBlock.KEYS + e] = value;
        if (value != Float.NEGATIVE_INFINITY) used = Math.max(used, e + 1);
      }
    }
    return used;
  }
}
