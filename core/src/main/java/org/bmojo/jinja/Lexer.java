package org.bmojo.jinja;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.jinja.Token.Kind;

/**
 * Source → tokens, with the blanks that tags take away gone: as Jinja with {@code trim_blocks} and
 * {@code lstrip_blocks}, with which chat templates are written.
 */
final class Lexer {
  private static final List<String> OPERATORS =
      List.of(
          "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "+",
          "-", "*", "/", "%", "~", "<", ">", "=");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokens(String source) {
    Lexer lexer = new Lexer(source.replace("\r\n", "\n"));
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    boolean trimLeft = false; // whatever stands before was "-%}"
    boolean afterBlock = false;
    while (at < source.length()) {
      int tag = nextTag();
      String data = source.substring(at, tag);
      boolean block = source.startsWith("{%", tag) || source.startsWith("{#", tag);
      boolean minus = tag + 2 < source.length() && source.charAt(tag + 2) == '-';
      boolean plus = tag + 2 < source.length() && source.charAt(tag + 2) == '+';
      if (trimLeft) {
        data = data.stripLeading();
      } else if (afterBlock && data.startsWith("\n")) {
        data = data.substring(1);
      }
      if (minus) {
        data = data.stripTrailing();
      } else if (block && !plus && tag < source.length()) {
        data = withoutIndent(data, at == 0 || afterBlock);
      }
      if (!data.isEmpty()) add(Kind.DATA, data);
      at = tag;
      if (at == source.length()) break;
      String opening = source.substring(tag, tag + 2);
      at += minus || plus ? 3 : 2;
      String closing =
          switch (opening) {
            case "{{" -> "}}";
            case "{%" -> "%}";
            default -> "#}";
          };
      if (opening.equals("{#")) {
        int end = source.indexOf("#}", at);
        if (end < 0) throw error("a comment is not closed");
        trimLeft = source.charAt(end - 1) == '-';
        at = end + 2;
      } else {
        trimLeft = inside(opening.equals("{{"), closing);
      }
      afterBlock = block;
    }
    add(Kind.END, "");
  }

  /** Blanks between a line's start and a block tag are not text. */
  private static String withoutIndent(String data, boolean fromLineStart) {
    int end = data.length();
    while (end > 0 && (data.charAt(end - 1) == ' ' || data.charAt(end - 1) == '\t')) end--;
    boolean line = end == 0 ? fromLineStart : data.charAt(end - 1) == '\n';
    return line ? data.substring(0, end) : data;
  }

  private int nextTag() {
    for (int i = at; i + 1 < source.length(); i++) {
      if (source.charAt(i) == '{' && "{%#".indexOf(source.charAt(i + 1)) >= 0) return i;
    }
    return source.length();
  }

  /** The tokens of a tag; whether it ends with a minus. */
  private boolean inside(boolean print, String closing) {
    add(print ? Kind.PRINT_BEGIN : Kind.BLOCK_BEGIN, "");
    int depth = 0;
    while (true) {
      while (at < source.length() && Character.isWhitespace(source.charAt(at))) at++;
      if (at >= source.length()) throw error("a tag is not closed");
      boolean minus = source.startsWith("-" + closing, at);
      if (depth == 0 && (minus || source.startsWith(closing, at))) {
        add(print ? Kind.PRINT_END : Kind.BLOCK_END, "");
        at += minus ? 3 : 2;
        return minus;
      }
      char c = source.charAt(at);
      if (c == '"' || c == '\'') {
        string(c);
      } else if (Character.isDigit(c)) {
        word(Kind.NUMBER);
      } else if (Character.isLetter(c) || c == '_') {
        word(Kind.NAME);
      } else {
        String operator = operator();
        if ("([{".contains(operator)) depth++;
        if (")]}".contains(operator)) depth--;
        add(Kind.OPERATOR, operator);
        at += operator.length();
      }
    }
  }

  private String operator() {
    for (String operator : OPERATORS) if (source.startsWith(operator, at)) return operator;
    throw error("the character " + source.charAt(at));
  }

  private void word(Kind kind) {
    int end = at;
    while (end < source.length()) {
      char c = source.charAt(end);
      boolean fraction =
          kind == Kind.NUMBER
              && c == '.'
              && end + 1 < source.length()
              && Character.isDigit(source.charAt(end + 1));
      if (!Character.isLetterOrDigit(c) && c != '_' && !fraction) break;
      end++;
    }
    add(kind, source.substring(at, end));
    at = end;
  }

  private void string(char quote) {
    StringBuilder text = new StringBuilder();
    int i = at + 1;
    for (; i < source.length() && source.charAt(i) != quote; i++) {
      char c = source.charAt(i);
      if (c == '\\' && i + 1 < source.length()) {
        c = source.charAt(++i);
        c =
            switch (c) {
              case 'n' -> '\n';
              case 't' -> '\t';
              case 'r' -> '\r';
              default -> c;
            };
      }
      text.append(c);
    }
    if (i >= source.length()) throw error("a string is not closed");
    add(Kind.STRING, text.toString());
    at = i + 1;
  }

  private void add(Kind kind, String text) {
    tokens.add(new Token(kind, text, line()));
  }

  private int line() {
    return 1 + (int) source.substring(0, Math.min(at, source.length())).lines().count();
  }

  private TemplateError error(String what) {
    return new TemplateError("line " + line() + ": " + what);
  }
}
