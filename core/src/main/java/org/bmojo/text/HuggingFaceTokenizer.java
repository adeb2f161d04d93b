package org.bmojo.text;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.jspecify.annotations.Nullable;

/** Any {@code tokenizer.json}, through the library that wrote it (Rust, by way of DJL). */
final class HuggingFaceTokenizer implements Tokenizer {
  static {
    // The natives in the jar are for CPUs; DJL would look for others where it sees a GPU, and
    // downloads what it lacks. It also reports its use to its makers unless told otherwise.
    setDefault("RUST_FLAVOR", "cpu");
    setDefault("OPT_OUT_TRACKING", "true");
  }

  /** Without these DJL cuts every text off after 512 tokens. */
  private static final Map<String, String> WHOLE_TEXTS =
      Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "false");

  private final TokenizerFile file;
  private final long fingerprint;
  private final ai.djl.huggingface.tokenizers.HuggingFaceTokenizer library;

  HuggingFaceTokenizer(TokenizerFile file) {
    this.file = file;
    this.fingerprint = TokenizerFile.fingerprint(file.json());
    try {
      library =
          ai.djl.huggingface.tokenizers.HuggingFaceTokenizer.newInstance(
              new ByteArrayInputStream(file.json()), WHOLE_TEXTS);
    } catch (IOException | RuntimeException e) {
      throw new BadInput(
          file.where() + " was refused by the tokenizers library (" + e.getMessage() + ")",
          "expected a tokenizer.json as that library writes it",
          "Export the tokenizer anew",
          e);
    }
    if (file.end() != null) requireAgreement(file.end());
  }

  private static void setDefault(String property, String value) {
    if (System.getenv(property) == null && System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  @Override
  public String name() {
    return file.model() + "-" + vocabulary();
  }

  @Override
  public int vocabulary() {
    return file.vocabulary();
  }

  @Override
  public int endOfDocument() {
    TokenizerFile.End end = file.end();
    if (end != null) return end.id();
    throw new BadInput(
        file.where() + " does not say which token ends a document",
        "expected \"eos_token\" in " + TokenizerFile.CONFIG + " beside it",
        "Add that file, with the name of the token");
  }

  /** The library numbers added tokens itself, whatever the file says; models go by the file. */
  private void requireAgreement(TokenizerFile.End end) {
    int[] ids = encode(end.token());
    if (ids.length != 1 || ids[0] == end.id()) return;
    throw new BadInput(
        file.where() + " gives " + end.token() + " the id " + end.id() + ", the library " + ids[0],
        "expected the ids of added tokens to follow those of the vocabulary",
        "Export the tokenizer anew");
  }

  @Override
  public long fingerprint() {
    return fingerprint;
  }

  @Override
  public int[] encode(String text) {
    long[] ids = library.encode(text, false, false).getIds();
    int[] result = new int[ids.length];
    for (int i = 0; i < ids.length; i++) result[i] = Math.toIntExact(ids[i]);
    return result;
  }

  @Override
  public String decode(int... ids) {
    requireInRange(ids);
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) wide[i] = ids[i];
    return library.decode(wide, true);
  }

  @Override
  public StreamingDecoder streaming() {
    return new WindowedDecoder(this);
  }

  @Override
  public void save(Path folder) {
    AtomicFile.replace(folder.resolve(FILE), file.json());
    byte @Nullable [] config = file.config();
    if (config != null) AtomicFile.replace(folder.resolve(TokenizerFile.CONFIG), config);
  }
}
