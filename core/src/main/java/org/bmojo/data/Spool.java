package org.bmojo.data;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.bmojo.io.AtomicFile;

/**
 * Tokens of one part of the split in the order in which the documents came, in a file that is gone
 * when it is closed: the order to be is a shuffled one and memory is not to hold them all.
 */
final class Spool implements AutoCloseable {
  private final FileChannel file;
  private final int tokenBytes;
  private final int end;
  private final ByteBuffer buffer =
      ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
  private long[] ends = new long[1024];
  private long[] textBytes = new long[1024];
  private int documents;
  private long tokens;

  /**
   * Opens an empty spool.
   *
   * @param path where; nothing may be there
   * @param tokenBytes 2 or 4
   * @param end the id to put after each document
   */
  Spool(Path path, int tokenBytes, int end) throws IOException {
    this.file =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE);
    this.tokenBytes = tokenBytes;
    this.end = end;
  }

  void add(int[] ids, long bytes) throws IOException {
    for (int id : ids) put(id);
    put(end);
    if (documents == ends.length) {
      ends = Arrays.copyOf(ends, 2 * documents);
      textBytes = Arrays.copyOf(textBytes, 2 * documents);
    }
    tokens += ids.length + 1L;
    ends[documents] = tokens;
    textBytes[documents++] = bytes;
  }

  private void put(int id) throws IOException {
    if (buffer.remaining() < tokenBytes) flush();
    if (tokenBytes == 2) {
      buffer.putShort((short) id);
    } else {
      buffer.putInt(id);
    }
  }

  private void flush() throws IOException {
    AtomicFile.writeFully(file, buffer.flip());
    buffer.clear();
  }

  int documents() {
    return documents;
  }

  /** Tokens of document {@code i}, its end included. */
  long tokens(int i) {
    return ends[i] - start(i);
  }

  long textBytes(int i) {
    return textBytes[i];
  }

  /** First token of document {@code i}. */
  long start(int i) {
    return i == 0 ? 0 : ends[i - 1];
  }

  /** All tokens, as bytes; nothing may be added any more. */
  MemorySegment map(Arena arena) throws IOException {
    flush();
    return file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), arena);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
