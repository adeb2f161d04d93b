package org.bmojo.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON read strictly: a key that is unknown, or there twice, and text after the end are errors, for
 * each is a setting that someone believes to be in force.
 */
public final class Json {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build();

  private static final JsonMapper FOREIGN =
      MAPPER.rebuild().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  private Json() {}

  /** The strict mapper itself. */
  public static JsonMapper mapper() {
    return MAPPER;
  }

  /** The tree in {@code bytes}; {@code where} names the source in messages. */
  public static JsonNode tree(byte[] bytes, String where) {
    try {
      return MAPPER.readTree(bytes);
    } catch (JacksonException e) {
      throw trouble(where, e);
    }
  }

  /** The tree in a file. */
  public static JsonNode tree(Path file) {
    return tree(bytes(file), file.toString());
  }

  /** The tree in a file of others, in which numbers may be {@code Infinity} or {@code NaN}. */
  public static JsonNode foreignTree(Path file) {
    try {
      return FOREIGN.readTree(bytes(file));
    } catch (JacksonException e) {
      throw trouble(file.toString(), e);
    }
  }

  /** The record of type {@code type} in a file. */
  public static <T> T read(Path file, Class<T> type) {
    try {
      return MAPPER.readValue(bytes(file), type);
    } catch (JacksonException e) {
      throw trouble(file.toString(), e);
    }
  }

  /** {@code value} as indented JSON in UTF-8. */
  public static byte[] bytes(Object value) {
    return MAPPER.writeValueAsBytes(value);
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** What is wrong with the JSON at {@code where}, with line and column. */
  public static BadInput trouble(String where, JacksonException e) {
    // A record's constructor may have refused the values with a message better than Jackson's.
    for (Throwable t = e; t != null; t = t.getCause()) {
      if (t instanceof BadInput refusal) return refusal;
    }
    return new BadInput(
        where + " is not the JSON expected: " + words(e),
        "expected well-formed JSON with known keys, each once",
        "Correct the file or make it anew",
        e);
  }

  /** What the parser says, with the place in the tree and in the file. */
  public static String words(JacksonException e) {
    TokenStreamLocation at = e.getLocation();
    String place =
        at == null || at.getLineNr() < 0
            ? ""
            : " in line " + at.getLineNr() + ", column " + at.getColumnNr();
    String path = path(e);
    return plain(e.getOriginalMessage()) + (path.isEmpty() ? "" : " at " + path) + place;
  }

  /** The first line, without advice on how to configure the parser. */
  private static String plain(String message) {
    return message.lines().findFirst().orElse("").replaceFirst("[;(] ?(set )?`Des.*", "").strip();
  }

  /** Where in the tree, such as {@code layers[0].block.mlp}. */
  public static String path(JacksonException e) {
    StringBuilder key = new StringBuilder();
    for (JacksonException.Reference step : e.getPath()) {
      if (step.getPropertyName() == null) {
        key.append('[').append(step.getIndex()).append(']');
      } else {
        key.append(key.isEmpty() ? "" : ".").append(step.getPropertyName());
      }
    }
    return key.toString();
  }
}
