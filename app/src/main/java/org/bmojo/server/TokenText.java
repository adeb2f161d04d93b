package org.bmojo.server;

import org.bmojo.text.Tokenizer;

/** The text of a single token, for people to look at. */
final class TokenText {
  private TokenText() {}

  static String of(Tokenizer tokenizer, int id) {
    return id < tokenizer.vocabulary() ? tokenizer.decode(id) : "";
  }
}
