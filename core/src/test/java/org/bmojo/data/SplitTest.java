package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SplitTest {
  @ParameterizedTest
  @ValueSource(doubles = {0, 0.01, 0.05, 0.5, 0.9})
  void theShareIsMet(double share) {
    int n = 20_700;
    Split split = new Split(share, 1);
    long held =
        IntStream.range(0, n).filter(i -> split.of("file-" + i) == Split.Part.VALIDATION).count();
    double sigma = Math.sqrt(n * share * (1 - share));
    assertThat((double) held).isBetween(n * share - 5 * sigma, n * share + 5 * sigma);
  }

  @Test
  void otherSeedsHoldOutOthers() {
    Split one = new Split(0.5, 1);
    Split two = new Split(0.5, 2);
    long alike =
        IntStream.range(0, 1000).filter(i -> one.of("file-" + i) == two.of("file-" + i)).count();
    assertThat(alike).isBetween(400L, 600L);
  }

  /** These values are in every checkpoint's past: held-out text must stay held out. */
  @Test
  void theHashNeverChanges() {
    assertThat(Hash.of("", 0)).isEqualTo(0xaebe53f85cdc3c4cL);
    assertThat(Hash.of("java.base/java/lang/String.java", 0)).isEqualTo(0x32a629634dc73e8aL);
    assertThat(Hash.of("java.base/java/lang/String.java", 42)).isEqualTo(0xa0b0d2037d499b89L);
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, 1, 2, Double.NaN})
  void sharesOutsideTheRangeAreRefused(double share) {
    assertThatThrownBy(() -> new Split(share, 0))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("share of " + share);
  }
}
