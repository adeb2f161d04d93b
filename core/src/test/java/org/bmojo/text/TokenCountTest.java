package org.bmojo.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bmojo.error.BadInput;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenCountTest {
  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "207, 207",
    "1000, 1000",
    "1K, 1024",
    "1536, 1536",
    "63K, 64512",
    "1M, 1048576",
    "1025K, 1049600",
    "2047M, 2146435072",
    "2147483647, 2147483647"
  })
  void readsWhatItWrites(String text, int tokens) {
    assertThat(TokenCount.parse(text)).isEqualTo(tokens);
    assertThat(TokenCount.format(tokens)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"1024, 1024", "4k, 4096", "1m, 1048576", "1024K, 1048576"})
  void otherWaysToWriteThem(String text, int tokens) {
    assertThat(TokenCount.parse(text)).isEqualTo(tokens);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "K", "0", "0K", "-1", "-4K", "1G", "1.5K", "4 K", "2048M", "9999999999"})
  void refusesWhatIsNone(String text) {
    assertThatThrownBy(() -> TokenCount.parse(text))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("such as 207, 64K or 1M");
  }
}
