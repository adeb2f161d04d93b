package org.bmojo.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HuggingFaceTokenizerTest {
  private static final String PAIRS = "[[\"t\",\"h\"],[\"th\",\"e\"],[\"\u00c3\",\"\u00a4\"]]";
  private static final String LINES = "[\"t h\",\"th e\",\"\u00c3 \u00a4\"]";

  @TempDir Path folder = Path.of("");

  @ParameterizedTest
  @ValueSource(strings = {PAIRS, LINES})
  void bothFormsOfMergesEncodeAlike(String merges) throws IOException {
    Tokenizer bpe = Tokenizer.load(TokenizerFiles.bpe(folder, merges, "null"));
    assertThat(bpe.name()).isEqualTo("bpe-260");
    assertThat(bpe.vocabulary()).isEqualTo(260);
    assertThat(bpe.endOfDocument()).isEqualTo(256);
    assertThat(bpe.encode("the thä\u0000")).containsExactly(258, ' ', 257, 259, 0);
    assertThat(bpe.decode(258, ' ', 257, 259, 256, 0)).isEqualTo("the thä\u0000");
  }

  /** The library's default is to stop after 512 tokens; some files ask for it themselves. */
  @Test
  void longTextsAreNotCutOff() throws IOException {
    Path file =
        TokenizerFiles.bpe(
            folder,
            PAIRS,
            """
            {"direction":"Right","max_length":8,"strategy":"LongestFirst","stride":0}\
            """);
    Tokenizer bpe = Tokenizer.load(file);
    assertThat(bpe.encode("the ".repeat(2070))).hasSize(2 * 2070);
  }

  @Test
  void halfACharacterOfUtf16IsNoCrash() throws IOException {
    Tokenizer bpe = Tokenizer.load(TokenizerFiles.bpe(folder, PAIRS, "null"));
    assertThat(bpe.decode(bpe.encode("a\ud800b"))).startsWith("a").endsWith("b");
  }

  @Test
  void savedItIsTheSame() throws IOException {
    Path from = Files.createDirectory(folder.resolve("from"));
    Path to = Files.createDirectory(folder.resolve("to"));
    TokenizerFiles.unigram(from);
    Files.writeString(from.resolve("tokenizer_config.json"), "{\"eos_token\":\"at\"}");
    Tokenizer unigram = Tokenizer.load(from);
    unigram.save(to);
    Tokenizer again = Tokenizer.load(to);
    assertThat(again.fingerprint()).isEqualTo(unigram.fingerprint());
    assertThat(again.endOfDocument()).isEqualTo(unigram.endOfDocument()).isEqualTo(262);
    assertThat(again.vocabulary()).isEqualTo(268);
    assertThat(again.encode("the cats ü")).isEqualTo(unigram.encode("the cats ü"));
    assertThat(again.decode(again.encode("the cats ü"))).isEqualTo("the cats ü");
  }

  @Test
  void theEndOfADocumentMustBeKnown() throws IOException {
    Path file = TokenizerFiles.unigram(folder);
    assertThat(Tokenizer.load(file).endOfDocument()).isEqualTo(1);
    Files.writeString(file, Files.readString(file).replace("</s>", "<end of it>"));
    Tokenizer unigram = Tokenizer.load(file);
    assertThatThrownBy(unigram::endOfDocument)
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("eos_token");
    Files.writeString(
        folder.resolve("tokenizer_config.json"), "{\"eos_token\":{\"content\":\"<end of it>\"}}");
    assertThat(Tokenizer.load(file).endOfDocument()).isEqualTo(1);
  }

  /** The library would number such a token differently, and the model never have seen it. */
  @Test
  void addedTokensWithIdsOfTheirOwnAreRefused() throws IOException {
    Path file = TokenizerFiles.unigram(folder);
    Files.writeString(
        file,
        Files.readString(file).replace("</s>\",0]", "x\",0]").replace("\"id\":1", "\"id\":500"));
    assertThatThrownBy(() -> Tokenizer.load(file))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("</s> the id 500", "the library 268");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "{}",
        "{\"model\":{\"type\":\"BPE\"}}",
        "{\"model\":{\"type\":\"None\",\"vocab\":{\"a\":0}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b\"]]}}",
        "not json",
      })
  void malformedFilesAreRefused(String json) throws IOException {
    Files.writeString(folder.resolve(Tokenizer.FILE), json);
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(Tokenizer.FILE);
  }

  @Test
  void anAbsentFileAndIdsOutOfRangeAreRefused() throws IOException {
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("does not exist");
    Tokenizer unigram = Tokenizer.load(TokenizerFiles.unigram(folder));
    assertThatThrownBy(() -> unigram.decode(268))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("0 to 267");
  }
}
