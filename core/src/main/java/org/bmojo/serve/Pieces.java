package org.bmojo.serve;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/**
 * Bytes that lie here and there, as if one behind the other. Takes what is written to it without a
 * copy, so that it can be summed up on all cores before it goes to a file: the memory must stay.
 */
final class Pieces implements WritableByteChannel {
  private static final int PIECE = 1 << 20;

  private final List<MemorySegment> parts = new ArrayList<>();
  private final List<Long> begins = new ArrayList<>(); // of each part
  private long length;

  /** Only {@code all}. */
  static Pieces of(MemorySegment all) {
    Pieces pieces = new Pieces();
    pieces.add(all);
    return pieces;
  }

  private void add(MemorySegment part) {
    parts.add(part);
    begins.add(length);
    length += part.byteSize();
  }

  @Override
  public int write(ByteBuffer some) {
    int count = some.remaining();
    add(MemorySegment.ofBuffer(some));
    some.position(some.limit());
    return count;
  }

  List<MemorySegment> parts() {
    return parts;
  }

  long length() {
    return length;
  }

  /** CRC-32C of the CRC-32Cs of each megabyte, as little-endian ints. */
  int checksum() {
    int count = Math.toIntExact((length + PIECE - 1) / PIECE);
    int[] sums = IntStream.range(0, count).parallel().map(this::checksum).toArray();
    CRC32C all = new CRC32C();
    for (int sum : sums) {
      for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) all.update(sum >>> shift);
    }
    return (int) all.getValue();
  }

  private int checksum(int piece) {
    CRC32C crc = new CRC32C();
    long at = (long) piece * PIECE, end = Math.min(length, at + PIECE);
    int part = part(at);
    for (; at < end; part++) {
      MemorySegment memory = parts.get(part);
      long from = at - begins.get(part), count = Math.min(memory.byteSize() - from, end - at);
      crc.update(memory.asSlice(from, count).asByteBuffer());
      at += count;
    }
    return (int) crc.getValue();
  }

  /** The part that holds byte {@code at}. */
  private int part(long at) {
    int low = 0, high = parts.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) / 2;
      if (begins.get(middle) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public void close() {}
}
