package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PermutationTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 13, 16, 17, 63, 64, 65, 207, 4097})
  void eachNumberComesOnce(long size) {
    for (long key = 0; key < 20; key++) {
      Permutation p = new Permutation(size, key);
      assertThat(LongStream.range(0, size).map(p::at).sorted().toArray())
          .isEqualTo(LongStream.range(0, size).toArray());
    }
  }

  @Test
  void hugeSizesStayInRange() {
    for (long size : new long[] {(1L << 40) + 1, (1L << 61) + 1, 1L << 62}) {
      Permutation p = new Permutation(size, 7);
      assertThat(LongStream.range(0, 1000).map(p::at).distinct())
          .hasSize(1000)
          .allMatch(x -> x >= 0 && x < size);
    }
  }

  /** Over many keys every number is first about equally often, and so is every pair of firsts. */
  @Test
  void ordersAreSpreadEvenly() {
    int size = 13;
    int keys = 50_700;
    int[] pairs = new int[size * size];
    for (int key = 0; key < keys; key++) {
      Permutation p = new Permutation(size, key);
      pairs[(int) (p.at(0) * size + p.at(1))]++;
    }
    double expected = keys / (double) (size * (size - 1));
    for (int i = 0; i < pairs.length; i++) {
      if (i / size == i % size) {
        assertThat(pairs[i]).isZero();
      } else {
        assertThat((double) pairs[i]).isBetween(0.7 * expected, 1.3 * expected); // 5.4 sigma
      }
    }
  }
}
