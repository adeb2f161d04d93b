package org.bmojo.data;

import static java.lang.foreign.ValueLayout.JAVA_CHAR_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.bmojo.io.FileTrouble;

/**
 * One file of tokens, mapped. Opening checks the header, the index and the length; each block of
 * tokens is checked when it is first read, so that terabytes open at once and nothing unchecked is
 * ever trained on.
 */
final class TokenShard {
  private static final ValueLayout.OfChar U16 = JAVA_CHAR_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 = JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 = JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);

  /** Further back than any memory that a row goes on from. */
  private static final long FARTHEST = -(1L << 30);

  private final Path file;
  private final ShardHeader header;
  private final MemorySegment tokens;
  private final MemorySegment checksums;
  private final MemorySegment index;

  /** Blocks found sound. Threads may race to check one; they come to the same result. */
  private final boolean[] sound;

  private TokenShard(Path file, ShardHeader header, MemorySegment all) {
    this.file = file;
    this.header = header;
    this.tokens = all.asSlice(ShardHeader.BYTES, header.tokens() * header.tokenBytes());
    this.checksums = all.asSlice(header.checksumsAt(), 4 * header.blocks());
    this.index = all.asSlice(header.indexAt(), 16 * header.documents());
    this.sound = new boolean[Math.toIntExact(header.blocks())];
  }

  /** Opens a shard; it is mapped until {@code arena} closes. */
  static TokenShard open(Path file, Arena arena) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      long start = Math.min(size, ShardHeader.BYTES);
      ShardHeader header = ShardHeader.parse(all.asSlice(0, start).asByteBuffer(), file);
      if (size != header.fileBytes()) {
        throw ShardHeader.wrongLength(file, size, header.fileBytes());
      }
      long tail = header.checksumsAt();
      if (crc(all, tail, size) != header.indexCrc()) throw ShardHeader.damaged(file, tail);
      return new TokenShard(file, header, all);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  private static int crc(MemorySegment all, long from, long to) {
    var crc = new CRC32C();
    for (long at = from; at < to; at += 1 << 30) {
      crc.update(all.asSlice(at, Math.min(1 << 30, to - at)).asByteBuffer());
    }
    return (int) crc.getValue();
  }

  ShardHeader header() {
    return header;
  }

  Path file() {
    return file;
  }

  /** Widens {@code count} tokens from {@code from} on to int64 at {@code into}. */
  void read(long from, int count, MemorySegment into) {
    check(from, count);
    if (header.tokenBytes() == 2) {
      for (int i = 0; i < count; i++) {
        into.setAtIndex(JAVA_LONG, i, tokens.getAtIndex(U16, from + i));
      }
    } else {
      for (int i = 0; i < count; i++) {
        into.setAtIndex(JAVA_LONG, i, tokens.getAtIndex(U32, from + i));
      }
    }
  }

  /** The tokens of one document and, last, the id that ends it. */
  int[] document(long i) {
    long from = i == 0 ? 0 : index.get(U64, 16 * (i - 1));
    int count = Math.toIntExact(index.get(U64, 16 * i) - from);
    check(from, count);
    int[] ids = new int[count];
    boolean two = header.tokenBytes() == 2;
    for (int k = 0; k < count; k++) {
      ids[k] = two ? tokens.getAtIndex(U16, from + k) : tokens.getAtIndex(U32, from + k);
    }
    return ids;
  }

  /**
   * Where the documents of {@code count} tokens from {@code from} on begin, int32 at {@code into}:
   * counted from {@code from}, negative where before it. The id that ends a document is the first
   * token of the next, as it is when a text is generated from nothing.
   */
  void begins(long from, int count, MemorySegment into) {
    long documents = header.documents(), low = 0, high = documents - 1;
    while (low < high) { // the last document that begins at `from` or before
      long middle = (low + high + 1) >>> 1;
      if (begin(middle) <= from) low = middle;
      else high = middle - 1;
    }
    long begin = begin(low), next = low + 1;
    for (int i = 0; i < count; i++) {
      while (next < documents && begin(next) <= from + i) begin = begin(next++);
      into.setAtIndex(JAVA_INT, i, (int) Math.max(begin - from, FARTHEST));
    }
  }

  private long begin(long document) {
    return document == 0 ? 0 : index.get(U64, 16 * (document - 1)) - 1;
  }

  /** Bytes of text in one document. */
  long documentBytes(long i) {
    return index.get(U64, 16 * i + 8);
  }

  /** Checks every block. */
  void checkAll() {
    for (int block = 0; block < sound.length; block++) if (!sound[block]) check(block);
  }

  private void check(long from, int count) {
    if (count == 0) return;
    int first = (int) (from * header.tokenBytes() / ShardHeader.BLOCK);
    int last = (int) (((from + count) * header.tokenBytes() - 1) / ShardHeader.BLOCK);
    for (int block = first; block <= last; block++) if (!sound[block]) check(block);
  }

  private void check(int block) {
    long at = (long) block * ShardHeader.BLOCK;
    long bytes = Math.min(ShardHeader.BLOCK, tokens.byteSize() - at);
    int crc = ShardHeader.crc(tokens.asSlice(at, bytes).asByteBuffer());
    if (crc != checksums.getAtIndex(U32, block)) {
      throw ShardHeader.damaged(file, ShardHeader.BYTES + at);
    }
    sound[block] = true;
  }
}
