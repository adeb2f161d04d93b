package org.bmojo.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a stream of bytes into pieces that end where a line does, so that a text of any length
 * passes through bounded memory. A line longer than a piece is cut between two characters.
 */
final class Parts {
  private final InputStream in;
  private final int size;
  private byte[] rest = {};
  private boolean ended;

  /**
   * Cuts {@code in}.
   *
   * @param size bytes in a piece, at least 4; more by what is left of its last line, less than
   *     twice
   */
  Parts(InputStream in, int size) {
    this.in = in;
    this.size = size;
  }

  /** The next piece; null at the end. */
  byte @Nullable [] next() throws IOException {
    if (!ended && cut(rest) < 0) fill();
    int end = cut(rest);
    if (end < 0) end = rest.length;
    if (end == 0) return null;
    byte[] piece = end == rest.length ? rest : Arrays.copyOf(rest, end);
    rest = Arrays.copyOfRange(rest, end, rest.length);
    if (rest.length == 0 && !ended) fill();
    return piece;
  }

  /** Whether the piece that {@link #next} gave was the last. */
  boolean exhausted() {
    return ended && rest.length == 0;
  }

  private void fill() throws IOException {
    int wanted = 2 * size - rest.length;
    byte[] more = in.readNBytes(wanted);
    ended = more.length < wanted;
    if (rest.length == 0) {
      rest = more;
    } else {
      int before = rest.length;
      rest = Arrays.copyOf(rest, before + more.length);
      System.arraycopy(more, 0, rest, before, more.length);
    }
  }

  /** Where the first piece of {@code bytes} ends, or −1 if more bytes or the end must tell. */
  private int cut(byte[] bytes) {
    for (int i = size - 1; i < bytes.length; i++) if (bytes[i] == '\n') return i + 1;
    if (bytes.length < 2 * size) return -1;
    int end = size;
    while (end > size - 3 && (bytes[end] & 0xc0) == 0x80) end--;
    return end;
  }
}
