package org.bmojo.tasks;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * The second part of every MQAR variant: slots of equal width, some of which open with a query. A
 * query's last token is labelled with the value, which is <em>not</em> written after it.
 *
 * <pre>
 * slot      0        1        2        3
 * inputs    ·  ·     K  ·     ·  ·     K' ·        · is filler
 * targets            V                 V'
 * </pre>
 */
final class QueryBlock {
  private final PowerLawSlots slots;
  private final int count;
  private final int width;
  private final int fillerIds; // filler is uniform below this; 1 means always id 0

  QueryBlock(int count, int width, double power, int fillerIds) {
    this.slots = new PowerLawSlots(count, power);
    this.count = count;
    this.width = width;
    this.fillerIds = fillerIds;
  }

  /**
   * Asks every key once and fills the example to its end.
   *
   * @param keys the tokens of query j are keys[0][j], keys[1][j], …
   * @param values the answer to query j
   * @param shown where the last token of key j was last shown with its value
   */
  void write(RandomGenerator random, BatchWriter out, int[][] keys, int[] values, int[] shown) {
    int[] drawn = slots.draw(random, values.length);
    int[] asked = new int[count];
    Arrays.fill(asked, -1);
    for (int j = 0; j < drawn.length; j++) {
      asked[drawn[j]] = j;
    }
    int last = keys.length - 1;
    for (int j : asked) {
      int filler = width;
      if (j >= 0) {
        for (int part = 0; part < last; part++) {
          out.token(keys[part][j]);
        }
        out.labelled(keys[last][j], values[j], values.length, out.position() - shown[j]);
        filler -= keys.length;
      }
      fill(random, out, filler);
    }
    fill(random, out, out.remaining());
  }

  private void fill(RandomGenerator random, BatchWriter out, int n) {
    for (int i = 0; i < n; i++) {
      out.token(fillerIds == 1 ? 0 : random.nextInt(fillerIds));
    }
  }
}
