package org.bmojo.text;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;

/** Text to token ids and back. Implementations are immutable and may be used by many threads. */
public interface Tokenizer {
  /** The file in a model's folder. */
  String FILE = "tokenizer.json";

  /** For humans: the kind and the vocabulary, such as {@code bytes-257}. */
  String name();

  /** How many ids there are; each is in {@code 0 … vocabulary − 1}. */
  int vocabulary();

  /**
   * The id that stands between documents.
   *
   * @throws BadInput if the tokenizer's files name none
   */
  int endOfDocument();

  /** Equal for tokenizers that encode alike, and for hardly any others. */
  long fingerprint();

  /** Ids of {@code text}, without any added at its ends. */
  int[] encode(String text);

  /** The same for text that is UTF-8 already. */
  default int[] encode(byte[] utf8) {
    return encode(new String(utf8, StandardCharsets.UTF_8));
  }

  /**
   * The text of {@code ids}, without special tokens. Bytes that are no UTF-8 become U+FFFD.
   *
   * @throws BadInput if an id is out of range
   */
  String decode(int... ids);

  /** A decoder for ids that arrive one by one. */
  StreamingDecoder streaming();

  /** Writes {@value #FILE} so that {@link #load} gives this tokenizer again. */
  void save(Path folder);

  /**
   * Reads a tokenizer.
   *
   * @param path a {@code tokenizer.json} as the Hugging Face libraries write it, or its folder
   * @throws BadInput if there is none, or it is malformed
   */
  static Tokenizer load(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve(FILE) : path;
    return TokenizerFile.read(file).tokenizer();
  }

  /**
   * Refuses a model that this tokenizer was not made for. Models round their vocabulary up for the
   * sake of the hardware, so up to 1,023 ids may be without a token.
   */
  default void requireFits(int modelVocabulary) {
    if (vocabulary() <= modelVocabulary && modelVocabulary < vocabulary() + 1024) return;
    throw new BadInput(
        "tokenizer " + name() + " has " + vocabulary() + " ids, the model " + modelVocabulary,
        "expected as many, or up to 1023 more in the model",
        "Use the tokenizer.json that belongs to the model");
  }

  /** Refuses ids that no token has. */
  default void requireInRange(int... ids) {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] >= 0 && ids[i] < vocabulary()) continue;
      throw new BadInput(
          "id " + ids[i] + " at position " + i,
          "expected 0 to " + (vocabulary() - 1) + " (tokenizer " + name() + ")",
          "Use the tokenizer that the ids were made with");
    }
  }
}
