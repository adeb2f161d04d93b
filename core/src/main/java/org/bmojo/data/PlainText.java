package org.bmojo.data;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Tells text from everything else: UTF-8 without NUL, with or without a byte order mark. */
final class PlainText {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long HIGH_BITS = 0x8080_8080_8080_8080L;
  private static final long LOW_BITS = 0x0101_0101_0101_0101L;

  private PlainText() {}

  /** Offset of the first byte that is no text, or −1. */
  static int firstFault(byte[] bytes) {
    int i = 0;
    // Eight bytes at once while all are ASCII and none is NUL. (Subtracting one from each byte
    // borrows into its high bit just where the byte was zero.)
    for (; i + 8 <= bytes.length; i += 8) {
      long word = (long) LONGS.get(bytes, i);
      if (((word | (word - LOW_BITS)) & HIGH_BITS) != 0) break;
    }
    for (; i < bytes.length && bytes[i] > 0; i++) {}
    return i == bytes.length ? -1 : decodingFault(bytes, i);
  }

  private static int decodingFault(byte[] bytes, int from) {
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    ByteBuffer in = ByteBuffer.wrap(bytes, from, bytes.length - from);
    CharBuffer out = CharBuffer.allocate(8192);
    CoderResult result;
    do {
      int start = in.position();
      result = decoder.decode(in, out.clear(), true);
      for (int i = start; i < in.position(); i++) if (bytes[i] == 0) return i;
    } while (result.isOverflow());
    return result.isError() ? in.position() : -1;
  }

  /** The text without the mark that some editors put before it. */
  static byte[] withoutMark(byte[] bytes) {
    boolean marked =
        bytes.length >= 3
            && bytes[0] == (byte) 0xef
            && bytes[1] == (byte) 0xbb
            && bytes[2] == (byte) 0xbf;
    return marked ? Arrays.copyOfRange(bytes, 3, bytes.length) : bytes;
  }
}
