package org.bmojo.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ByteTokenizerTest {
  @TempDir Path folder = Path.of("");
  private final Tokenizer bytes = new ByteTokenizer();

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "class A {}\r\n\t", "naïve ≤ 中文 🦆\u0000", "<|endoftext|>"})
  void textComesBackAsItWas(String text) {
    int[] ids = bytes.encode(text);
    assertThat(ids).hasSize(text.getBytes(StandardCharsets.UTF_8).length);
    assertThat(bytes.decode(ids)).isEqualTo(text);
    assertThat(bytes.encode(text.getBytes(StandardCharsets.UTF_8))).isEqualTo(ids);
  }

  @Test
  void anIdIsItsByteAndBrokenTextIsMarked() {
    assertThat(bytes.encode("ä")).containsExactly(0xc3, 0xa4);
    assertThat(bytes.decode('a', 0xc3, 'b')).isEqualTo("a\uFFFDb");
    assertThat(bytes.decode('a', 256, 'b')).isEqualTo("ab");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 257, Integer.MAX_VALUE})
  void idsOutOfRangeAreRefused(int id) {
    assertThatThrownBy(() -> bytes.decode(1, id))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("id " + id + " at position 1", "0 to 256");
    assertThatThrownBy(() -> bytes.streaming().accept(id)).isInstanceOf(BadInput.class);
  }

  @Test
  void savedItIsRecognised() {
    bytes.save(folder);
    Tokenizer again = Tokenizer.load(folder);
    assertThat(again).isInstanceOf(ByteTokenizer.class);
    assertThat(again.fingerprint()).isEqualTo(bytes.fingerprint());
  }

  /** The library by which everybody else reads the file agrees on every byte. */
  @Test
  void otherLibrariesReadTheSavedFile() {
    bytes.save(folder);
    Tokenizer foreign =
        new HuggingFaceTokenizer(TokenizerFile.read(folder.resolve(Tokenizer.FILE)));
    StringBuilder all = new StringBuilder();
    for (int c = 0; c < 0x800; c++) all.append((char) c);
    all.append("  \n\n 中文 🦆 \u0000\u001f x".repeat(63));
    assertThat(foreign.vocabulary()).isEqualTo(257);
    assertThat(foreign.endOfDocument()).isEqualTo(ByteTokenizer.END_OF_DOCUMENT);
    assertThat(foreign.encode(all.toString())).isEqualTo(bytes.encode(all.toString()));
    assertThat(foreign.decode(bytes.encode(all.toString()))).isEqualTo(all.toString());
  }

  @Test
  void aModelOfAnotherVocabularyIsRefused() {
    assertThatCode(() -> bytes.requireFits(257)).doesNotThrowAnyException();
    assertThatCode(() -> bytes.requireFits(320)).doesNotThrowAnyException();
    for (int other : new int[] {1, 256, 50_257}) {
      assertThatThrownBy(() -> bytes.requireFits(other))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("257 ids, the model " + other, "belongs to the model");
    }
  }
}
