package org.bmojo.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.bmojo.error.BadInput;

/**
 * The first {@value #BYTES} bytes of a token shard, all numbers little-endian.
 *
 * <pre>
 *    0  magic       "BMOJOTOK"
 *    8  u32         format version, {@value #VERSION}
 *   12  u32         bytes per token: 2 (unsigned) or 4
 *   16  u64         tokens
 *   24  u64         documents
 *   32  u64         bytes of text that the tokens stand for
 *   40  u64         fingerprint of the tokenizer
 *   48  u64         seed of split and order
 *   56  u32         vocabulary
 *   60  u32         id that ends a document
 *   64  u32, u32    number of this shard, number of shards
 *   72  u32         CRC-32C of checksums and index
 *   76  u32         CRC-32C of the 76 bytes before
 *   80  tokens, then zeros to a multiple of 8
 *       checksums   u32 a block of 64 KiB of tokens: CRC-32C; then zeros to a multiple of 8
 *       index       a document: u64 one past its last token, u64 bytes of its text
 * </pre>
 */
record ShardHeader(
    int tokenBytes,
    long tokens,
    long documents,
    long textBytes,
    long fingerprint,
    long seed,
    int vocabulary,
    int endOfDocument,
    int shard,
    int shards,
    int indexCrc) {
  static final int BYTES = 80;
  static final int BLOCK = 64 << 10;
  private static final int VERSION = 1;
  private static final long MAGIC = 0x4b4f544f4a4f4d42L; // "BMOJOTOK"
  private static final String CURE = "Make the shards again from the text";

  /** Two bytes a token if every id fits. */
  static int tokenBytes(int vocabulary) {
    return vocabulary <= 1 << 16 ? 2 : 4;
  }

  ShardHeader withIndexCrc(int crc) {
    return new ShardHeader(
        tokenBytes,
        tokens,
        documents,
        textBytes,
        fingerprint,
        seed,
        vocabulary,
        endOfDocument,
        shard,
        shards,
        crc);
  }

  long blocks() {
    return Math.ceilDiv(tokens * tokenBytes, BLOCK);
  }

  long checksumsAt() {
    return BYTES + padded(tokens * tokenBytes);
  }

  long indexAt() {
    return checksumsAt() + padded(4 * blocks());
  }

  long fileBytes() {
    return indexAt() + 16 * documents;
  }

  static long padded(long bytes) {
    return Math.ceilDiv(bytes, 8) * 8;
  }

  ByteBuffer toBytes() {
    ByteBuffer b = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    b.putLong(MAGIC).putInt(VERSION).putInt(tokenBytes);
    b.putLong(tokens).putLong(documents).putLong(textBytes).putLong(fingerprint).putLong(seed);
    b.putInt(vocabulary).putInt(endOfDocument).putInt(shard).putInt(shards).putInt(indexCrc);
    return b.putInt(crc(b.duplicate().flip())).flip();
  }

  /**
   * Reads and checks a header.
   *
   * @param b the file's first bytes, fewer than {@value #BYTES} if it has no more
   */
  static ShardHeader parse(ByteBuffer b, Path file) {
    b.order(ByteOrder.LITTLE_ENDIAN);
    if (b.remaining() < BYTES || b.getLong(0) != MAGIC) {
      throw new BadInput(file + " is no token shard", "expected the magic BMOJOTOK", CURE);
    }
    int version = b.getInt(8);
    if (version != VERSION) {
      throw new BadInput(
          file + " has format version " + version,
          "expected " + VERSION,
          version > VERSION ? "Update this program" : CURE);
    }
    if (b.getInt(76) != crc(b.duplicate().limit(76))) {
      throw new BadInput(file + " is damaged in its header", "expected another checksum", CURE);
    }
    return new ShardHeader(
        b.getInt(12),
        b.getLong(16),
        b.getLong(24),
        b.getLong(32),
        b.getLong(40),
        b.getLong(48),
        b.getInt(56),
        b.getInt(60),
        b.getInt(64),
        b.getInt(68),
        b.getInt(72));
  }

  static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  static BadInput damaged(Path file, long offset) {
    return new BadInput(
        file + " is damaged between byte " + offset + " and " + (offset + BLOCK),
        "expected another checksum",
        CURE);
  }

  static BadInput wrongLength(Path file, long bytes, long expected) {
    return new BadInput(file + " has " + bytes + " bytes", "expected " + expected, CURE);
  }
}
