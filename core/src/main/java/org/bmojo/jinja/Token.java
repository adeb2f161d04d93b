package org.bmojo.jinja;

/** A piece of a template's source. */
record Token(Kind kind, String text, int line) {
  enum Kind {
    /** Between tags. */
    DATA,
    /** {@code {{}. */
    PRINT_BEGIN,
    /** {@code }}}. */
    PRINT_END,
    /** {@code {%}. */
    BLOCK_BEGIN,
    /** {@code %}}. */
    BLOCK_END,
    NAME,
    STRING,
    NUMBER,
    OPERATOR,
    END
  }

  boolean is(Kind wanted, String word) {
    return kind == wanted && text.equals(word);
  }

  boolean isOperator(String symbol) {
    return is(Kind.OPERATOR, symbol);
  }

  boolean isName(String name) {
    return is(Kind.NAME, name);
  }
}
