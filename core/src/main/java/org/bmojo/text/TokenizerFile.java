package org.bmojo.text;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What a {@code tokenizer.json} and the {@code tokenizer_config.json} beside it say about
 * themselves, as far as the native library does not tell.
 *
 * @param where the file, for messages
 * @param json its bytes
 * @param config the bytes of {@code tokenizer_config.json}, if there is one
 * @param model kind of model, such as {@code bpe}
 * @param vocabulary one more than the highest id
 * @param end what stands between documents, if it can be told
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record TokenizerFile(
    Path where,
    byte[] json,
    byte @Nullable [] config,
    String model,
    int vocabulary,
    @Nullable End end) {
  /** A token and its id. */
  record End(String token, int id) {}

  static final String CONFIG = "tokenizer_config.json";

  /** What models call the end of a text when no configuration says so. */
  private static final Set<String> CUSTOMARY_ENDS =
      Set.of("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eot_id|>", "[SEP]");

  static TokenizerFile read(Path file) {
    byte[] json = bytes(file);
    Path besides = file.resolveSibling(CONFIG);
    byte[] config = Files.exists(besides) ? bytes(besides) : null;
    JsonNode root = Json.tree(json, file.toString());
    JsonNode model = root.path("model");
    if (!model.isObject() || !model.path("vocab").isContainer()) {
      throw new BadInput(
          file + " has no model with a vocab",
          "expected a tokenizer.json as the Hugging Face tokenizers library writes it",
          "Export the tokenizer anew; vocab.txt or a .model file alone is not enough");
    }
    String kind = model.path("type").asString("unknown").toLowerCase(Locale.ROOT);
    return new TokenizerFile(
        file, json, config, kind, vocabulary(root, model), end(root, model, config, besides));
  }

  Tokenizer tokenizer() {
    return ByteTokenizer.wrote(json) ? new ByteTokenizer() : new HuggingFaceTokenizer(this);
  }

  private static int vocabulary(JsonNode root, JsonNode model) {
    JsonNode vocab = model.path("vocab");
    int highest = vocab.isArray() ? vocab.size() - 1 : -1;
    if (vocab.isObject()) for (JsonNode id : vocab) highest = Math.max(highest, id.asInt(-1));
    for (JsonNode token : root.path("added_tokens")) {
      highest = Math.max(highest, token.path("id").asInt(-1));
    }
    return highest + 1;
  }

  private static @Nullable End end(
      JsonNode root, JsonNode model, byte @Nullable [] config, Path configPath) {
    if (config != null) {
      JsonNode eos = Json.tree(config, configPath.toString()).path("eos_token");
      if (eos.isObject()) eos = eos.path("content");
      if (eos.isString()) return find(eos.stringValue(), root, model);
    }
    for (JsonNode token : root.path("added_tokens")) {
      String content = token.path("content").asString("");
      if (CUSTOMARY_ENDS.contains(content)) return find(content, root, model);
    }
    return null;
  }

  private static @Nullable End find(String content, JsonNode root, JsonNode model) {
    for (JsonNode token : root.path("added_tokens")) {
      if (token.path("content").asString("").equals(content)) {
        return new End(content, token.path("id").asInt(-1));
      }
    }
    JsonNode vocab = model.path("vocab");
    if (vocab.isObject()) {
      JsonNode id = vocab.path(content);
      return id.isInt() ? new End(content, id.intValue()) : null;
    }
    for (int id = 0; id < vocab.size(); id++) {
      if (vocab.path(id).path(0).asString("").equals(content)) return new End(content, id);
    }
    return null;
  }

  static long fingerprint(byte[] json) {
    try {
      return ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(json)).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }
}
