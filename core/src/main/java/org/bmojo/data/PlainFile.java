package org.bmojo.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.function.Consumer;
import org.bmojo.error.BadInput;

/** Documents from the bytes of one file, wherever it is. */
final class PlainFile {
  /** Longer files come in parts: tokenizers take many times a text's size in memory. */
  static final int LONGEST = 8 << 20;

  private PlainFile() {}

  /**
   * A file among others: its text in one document if possible, nothing if it is binary or empty.
   */
  static long readIfText(String name, InputStream in, Consumer<Document> action)
      throws IOException {
    return read(name, in, LONGEST, false, action);
  }

  /** A file that the user named, in parts of about {@code size} bytes: all of it must be text. */
  static void read(String name, InputStream in, int size, Consumer<Document> action)
      throws IOException {
    if (read(name, in, size, true, action) == 0) throw empty(name);
  }

  private static long read(
      String name, InputStream in, int size, boolean strict, Consumer<Document> action)
      throws IOException {
    Parts parts = new Parts(in, size);
    long offset = 0;
    int count = 0;
    for (byte[] part = parts.next(); part != null; part = parts.next()) {
      int fault = PlainText.firstFault(part);
      if (fault >= 0) {
        if (strict) throw binary(name, offset + fault);
        return count;
      }
      byte[] text = offset == 0 ? PlainText.withoutMark(part) : part;
      offset += part.length;
      if (text.length == 0) continue;
      boolean whole = count == 0 && parts.exhausted();
      action.accept(new Document(whole ? name : "%s#%05d".formatted(name, count), text));
      count++;
    }
    return count;
  }

  private static BadInput binary(String name, long offset) {
    return new BadInput(
        name + " is not text: byte " + offset + " is NUL or no UTF-8",
        "expected UTF-8",
        "Convert it (iconv -t UTF-8), unpack it, or name another file");
  }

  static BadInput empty(String name) {
    return new BadInput(name + " holds no text", "expected some", "Name another file or folder");
  }
}
