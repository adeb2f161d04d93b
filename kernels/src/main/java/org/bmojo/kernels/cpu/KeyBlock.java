package org.bmojo.kernels.cpu;

import java.util.Arrays;

/**
 * Up to {@link #KEYS} keys and values of one key head, copied side by side, and which of a block of
 * queries see them: key r is seen by queries first + slide·r … first + slide·r + span − 1, counted
 * from the block's first query. The window and the fading span slide with the key (slide = 1); an
 * eidetic set is seen by all of its chunk (slide = 0). Beyond that, no query from {@link #end} on
 * sees a key, since it belongs to a later document.
 */
final class KeyBlock {
  static final int KEYS = 64;

  /** Farther than any two queries of a block are apart, and still exact as a float. */
  private static final long FAR = 1 << 20;

  /** Floats from one row to the next: D and padding. */
  final int stride;

  final float[] k, v; // (KEYS, stride)
  final float[] dk, dv; // (KEYS, stride), sums of gradients

  /** Added to logits: (heads of the group, KEYS). */
  final float[] bias;

  final float[] dBias; // (heads of the group, KEYS)

  /** By row, counted from the block's first query; the caller's to lower. */
  final int[] end = new int[KEYS];

  boolean eidetic;
  int count;
  int first;
  int span;
  int slide;

  KeyBlock(int dim, int heads, boolean backward) {
    stride = TileProduct.paddedColumns(dim);
    k = new float[KEYS * stride];
    v = new float[KEYS * stride];
    dk = new float[backward ? KEYS * stride : 0];
    dv = new float[backward ? KEYS * stride : 0];
    bias = new float[heads * KEYS];
    dBias = new float[backward ? heads * KEYS : 0];
  }

  /** Keys that slide: row {@code from} is seen by queries first … last, the next by one later. */
  void slide(HeadRows keys, HeadRows values, int from, int rows, long firstQuery, long lastQuery) {
    eidetic = false;
    load(keys, values, from, rows);
    see(firstQuery, lastQuery);
    slide = 1;
  }

  /** Keys of a set, all seen by the same queries; {@link #bias} is the caller's to fill. */
  void fixed(HeadRows keys, HeadRows values, int from, int rows, long firstQuery, long lastQuery) {
    eidetic = true;
    load(keys, values, from, rows);
    see(firstQuery, lastQuery);
    slide = 0;
  }

  private void see(long firstQuery, long lastQuery) {
    first = (int) Math.max(-FAR, firstQuery);
    span = (int) (Math.min(FAR, lastQuery) - first) + 1;
  }

  /** Takes the rows alone. */
  void load(HeadRows keys, HeadRows values, int from, int rows) {
    count = rows;
    keys.read(from, rows, k, stride);
    values.read(from, rows, v, stride);
    // Rows that fill up the last tile count for nothing, but 0·NaN would.
    int whole = TileProduct.paddedRows(rows) * stride;
    Arrays.fill(k, rows * stride, whole, 0);
    Arrays.fill(v, rows * stride, whole, 0);
    Arrays.fill(dk, 0);
    Arrays.fill(dv, 0);
    Arrays.fill(dBias, 0);
    Arrays.fill(end, Integer.MAX_VALUE);
  }

  /** First row that any of {@code queries} queries from number {@code query} on sees. */
  int firstRow(int query) {
    return slide == 0 ? 0 : Math.max(0, query - first - span + 1);
  }

  /** One past the last such row; not after {@link #firstRow} if there is none. */
  int endRow(int query, int queries) {
    boolean any = first < query + queries && first + span > query;
    if (slide == 0) return any ? count : 0;
    return Math.min(count, query + queries - first);
  }
}
