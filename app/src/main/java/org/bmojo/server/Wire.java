package org.bmojo.server;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.bmojo.io.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** JSON as it goes over the wire: on one line, and read with suspicion. */
final class Wire {
  private static final int DEEPEST = 64;

  private static final JsonMapper READER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder().maxNestingDepth(DEEPEST).build())
                  .build())
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final JsonMapper WRITER =
      Json.mapper().rebuild().disable(SerializationFeature.INDENT_OUTPUT).build();

  private Wire() {}

  /** The JSON object in a request's body. */
  static JsonNode object(byte[] body) {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
    } catch (CharacterCodingException e) {
      throw ApiError.bad("The body is not UTF-8. Send JSON in UTF-8.");
    }
    try {
      JsonNode node = READER.readTree(text);
      if (node.isObject()) return node;
      throw ApiError.bad("The body is no JSON object. Send {…} with the request's fields.");
    } catch (JacksonException e) {
      throw ApiError.bad("The body is no JSON: " + e.getOriginalMessage() + ". Correct it.");
    }
  }

  static byte[] bytes(Object value) {
    return WRITER.writeValueAsBytes(value);
  }
}
