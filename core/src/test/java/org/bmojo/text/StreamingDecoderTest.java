package org.bmojo.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What streams, joined, is what decoding at once gives. */
class StreamingDecoderTest {
  private static final String TEXT = "the cats 🦆🦆 naïve ≤ 中文\n\n the\tend ä� é";

  @TempDir Path folder = Path.of("");

  @Test
  void aCharacterComesWithItsLastByte() {
    StreamingDecoder bytes = new ByteTokenizer().streaming();
    assertThat(bytes.accept(0xf0)).isEmpty();
    assertThat(bytes.accept(0x9f)).isEmpty();
    assertThat(bytes.accept(0xa6)).isEmpty();
    assertThat(bytes.accept(0x86)).isEqualTo("🦆");
    assertThat(bytes.accept('a')).isEqualTo("a");
    assertThat(bytes.accept(0xc3)).isEmpty();
    assertThat(bytes.accept('b')).isEqualTo("\uFFFDb");
    assertThat(bytes.accept(0xc3)).isEmpty();
    assertThat(bytes.finish()).isEqualTo("\uFFFD");
    assertThat(bytes.accept('c')).isEqualTo("c");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void randomBytesStreamAsTheyDecode(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Tokenizer bytes = new ByteTokenizer();
    int[] ids = random.ints(2070, 0, 257).toArray();
    // Mostly lead and continuation bytes, where the cases are.
    for (int i = 0; i < ids.length; i += 2) ids[i] = 0x80 + random.nextInt(0x80);
    assertThat(streamed(bytes, ids)).isEqualTo(bytes.decode(ids));
  }

  @Test
  void everyKindOfTokenizerStreams() throws IOException {
    String merges = "[[\"t\",\"h\"],[\"th\",\"e\"],[\"\u00c3\",\"\u00a4\"]]";
    for (Tokenizer tokenizer :
        new Tokenizer[] {
          new ByteTokenizer(),
          Tokenizer.load(TokenizerFiles.bpe(folder, merges, "null")),
          Tokenizer.load(TokenizerFiles.unigram(folder)),
        }) {
      int[] ids = tokenizer.encode(TEXT);
      assertThat(streamed(tokenizer, ids)).as(tokenizer.name()).isEqualTo(TEXT);
      int[] ended = Arrays.copyOf(ids, ids.length + 2);
      ended[ids.length] = tokenizer.endOfDocument();
      ended[ids.length + 1] = ids[0];
      assertThat(streamed(tokenizer, ended)).isEqualTo(tokenizer.decode(ended));
    }
  }

  /** A model may write bytes that never become a character; they must not pile up. */
  @Test
  void nonsenseIsNotHeldBackForever() throws IOException {
    Tokenizer unigram = Tokenizer.load(TokenizerFiles.unigram(folder));
    StreamingDecoder decoder = unigram.streaming();
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 63; i++) text.append(decoder.accept(2 + 0x80));
    assertThat(text).hasSizeGreaterThan(40);
    text.append(decoder.accept(263)).append(decoder.finish());
    assertThat(text.toString()).endsWith("t");
  }

  private static String streamed(Tokenizer tokenizer, int[] ids) {
    StreamingDecoder decoder = tokenizer.streaming();
    StringBuilder text = new StringBuilder();
    for (int id : ids) text.append(decoder.accept(id));
    return text.append(decoder.finish()).toString();
  }
}
