package org.bmojo.server;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.generate.LogProbabilities.Scored;
import org.bmojo.serve.Generation.Token;
import org.bmojo.serve.TextGeneration.Piece;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;

/** {@code chat.completion}. */
final class ChatFormat implements Format {
  private final Tokenizer tokenizer;
  private final boolean scored;

  ChatFormat(Tokenizer tokenizer, boolean scored) {
    this.tokenizer = tokenizer;
    this.scored = scored;
  }

  @Override
  public Map<String, Object> whole(String text, List<Piece> pieces, String finish) {
    Map<String, @Nullable Object> message = new LinkedHashMap<>();
    message.put("role", "assistant");
    message.put("content", text.strip());
    message.put("refusal", null);
    return choice("message", Nulls.allowed(message), pieces, finish);
  }

  @Override
  public Map<String, Object> first() {
    return choice("delta", Map.of("role", "assistant", "content", ""), List.of(), null);
  }

  @Override
  public Map<String, Object> piece(Piece piece) {
    return choice("delta", Map.of("content", piece.text()), List.of(piece), null);
  }

  @Override
  public Map<String, Object> last(String finish) {
    return choice("delta", Map.of(), List.of(), finish);
  }

  private Map<String, Object> choice(
      String name, Map<String, Object> value, List<Piece> pieces, @Nullable String finish) {
    Map<String, @Nullable Object> choice = new LinkedHashMap<>();
    choice.put("index", 0);
    choice.put(name, value);
    choice.put("logprobs", scored && !pieces.isEmpty() ? logprobs(pieces) : null);
    choice.put("finish_reason", finish);
    return Nulls.allowed(choice);
  }

  private Map<String, Object> logprobs(List<Piece> pieces) {
    List<Object> content = new ArrayList<>();
    for (Piece piece : pieces) {
      for (Token token : piece.tokens()) {
        Map<String, Object> entry = scored(token.id(), token.logProbability());
        List<Object> top = new ArrayList<>();
        for (Scored s : token.alternatives()) top.add(scored(s.id(), s.logProbability()));
        entry.put("top_logprobs", top);
        content.add(entry);
      }
    }
    return Map.of("content", content);
  }

  private Map<String, Object> scored(int id, double logProbability) {
    String text = TokenText.of(tokenizer, id);
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("token", text);
    entry.put("logprob", logProbability);
    List<Integer> bytes = new ArrayList<>();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) bytes.add(b & 0xff);
    entry.put("bytes", bytes);
    return entry;
  }

  @Override
  public String object(boolean chunk) {
    return chunk ? "chat.completion.chunk" : "chat.completion";
  }

  @Override
  public String idPrefix() {
    return "chatcmpl-";
  }
}
