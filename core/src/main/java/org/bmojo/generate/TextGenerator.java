package org.bmojo.generate;

import java.util.function.Consumer;
import org.bmojo.error.BadInput;
import org.bmojo.model.LanguageModel;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;

/** Continues texts. */
public final class TextGenerator {
  private final Generator generator;
  private final Tokenizer tokenizer;

  /** Generates with {@code model}, which stays the caller's to close. */
  public TextGenerator(LanguageModel model, Tokenizer tokenizer) {
    tokenizer.requireFits(model.config().vocabulary());
    this.generator = new Generator(model);
    this.tokenizer = tokenizer;
  }

  /**
   * What follows {@code prompt}, without it.
   *
   * @param prompt where it is empty, a new document begins
   * @param tokens at most; less if the model ends the document
   */
  public String complete(String prompt, int tokens, Sampler sampler) {
    StringBuilder text = new StringBuilder();
    stream(prompt, tokens, sampler, text::append);
    return text.toString();
  }

  /** The same, handed to {@code reader} in pieces as they become known. */
  public void stream(String prompt, int tokens, Sampler sampler, Consumer<String> reader) {
    int[] ids = prompt.isEmpty() ? new int[] {tokenizer.endOfDocument()} : tokenizer.encode(prompt);
    StreamingDecoder decoder = tokenizer.streaming();
    int end = end();
    generator.generate(
        ids,
        tokens,
        sampler,
        id -> {
          if (id == end) return false;
          // Ids that pad the vocabulary have no text.
          if (id < tokenizer.vocabulary()) accept(decoder.accept(id), reader);
          return true;
        });
    accept(decoder.finish(), reader);
  }

  private static void accept(String piece, Consumer<String> reader) {
    if (!piece.isEmpty()) reader.accept(piece);
  }

  /** The id that ends a document, −1 where the tokenizer does not know one. */
  private int end() {
    try {
      return tokenizer.endOfDocument();
    } catch (BadInput unknown) {
      return -1;
    }
  }
}
