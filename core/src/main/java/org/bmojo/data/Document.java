package org.bmojo.data;

import java.nio.charset.StandardCharsets;

/** A text with a name: a file, a line of a JSONL file, a part of something very long. */
public final class Document {
  private final String name;
  private final byte[] utf8;

  /**
   * Makes a document.
   *
   * @param name unique within its source, and the same on every machine
   * @param utf8 the text, well-formed UTF-8; not copied
   */
  public Document(String name, byte[] utf8) {
    this.name = name;
    this.utf8 = utf8;
  }

  /** Makes a document from a string. */
  public static Document of(String name, String text) {
    return new Document(name, text.getBytes(StandardCharsets.UTF_8));
  }

  /** The name, with {@code /} between folders. */
  public String name() {
    return name;
  }

  /** The text in UTF-8; not to be changed. */
  public byte[] utf8() {
    return utf8;
  }

  /** The text. */
  public String text() {
    return new String(utf8, StandardCharsets.UTF_8);
  }
}
