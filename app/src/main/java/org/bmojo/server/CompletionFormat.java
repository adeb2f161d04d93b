package org.bmojo.server;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.generate.LogProbabilities.Scored;
import org.bmojo.serve.Generation.Token;
import org.bmojo.serve.TextGeneration.Piece;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;

/** {@code text_completion}. */
final class CompletionFormat implements Format {
  private final Tokenizer tokenizer;
  private final boolean scored;
  private int offset;

  CompletionFormat(Tokenizer tokenizer, boolean scored) {
    this.tokenizer = tokenizer;
    this.scored = scored;
  }

  @Override
  public Map<String, Object> whole(String text, List<Piece> pieces, String finish) {
    return choice(text, pieces, finish);
  }

  @Override
  public @Nullable Map<String, Object> first() {
    return null;
  }

  @Override
  public Map<String, Object> piece(Piece piece) {
    return choice(piece.text(), List.of(piece), null);
  }

  @Override
  public Map<String, Object> last(String finish) {
    return choice("", List.of(), finish);
  }

  private Map<String, Object> choice(String text, List<Piece> pieces, @Nullable String finish) {
    Map<String, @Nullable Object> choice = new LinkedHashMap<>();
    choice.put("index", 0);
    choice.put("text", text);
    choice.put("logprobs", scored && !pieces.isEmpty() ? logprobs(pieces) : null);
    choice.put("finish_reason", finish);
    return Nulls.allowed(choice);
  }

  private Map<String, Object> logprobs(List<Piece> pieces) {
    List<Object> tokens = new ArrayList<>(), scores = new ArrayList<>();
    List<Object> tops = new ArrayList<>(), offsets = new ArrayList<>();
    for (Piece piece : pieces) {
      for (Token token : piece.tokens()) {
        tokens.add(TokenText.of(tokenizer, token.id()));
        scores.add(token.logProbability());
        Map<String, Object> top = new LinkedHashMap<>();
        for (Scored s : token.alternatives()) {
          top.put(TokenText.of(tokenizer, s.id()), s.logProbability());
        }
        tops.add(top);
        offsets.add(offset);
      }
      offset += piece.text().length();
    }
    return Map.of(
        "tokens", tokens, "token_logprobs", scores, "top_logprobs", tops, "text_offset", offsets);
  }

  @Override
  public String object(boolean chunk) {
    return "text_completion";
  }

  @Override
  public String idPrefix() {
    return "cmpl-";
  }
}
