package org.bmojo.data;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.bmojo.io.AtomicFile;

/** Writes one shard: documents as they come, then checksums and index, the header last. */
final class ShardOutput implements AutoCloseable {
  private final FileChannel file;
  private final ShardHeader shape;
  private final ByteBuffer block =
      ByteBuffer.allocateDirect(ShardHeader.BLOCK).order(ByteOrder.LITTLE_ENDIAN);
  private final MemorySegment blockMemory = MemorySegment.ofBuffer(block);

  /** Checksums, then index, as they will stand in the file. */
  private final ByteBuffer tail;

  private final int indexAt;
  private long tokens;
  private int documents;
  private int blocks;

  /**
   * Begins a shard.
   *
   * @param shape the header to be, but for {@link ShardHeader#indexCrc}
   */
  ShardOutput(Path path, ShardHeader shape) throws IOException {
    this.shape = shape;
    this.indexAt = Math.toIntExact(shape.indexAt() - shape.checksumsAt());
    int tailBytes = Math.toIntExact(shape.fileBytes() - shape.checksumsAt());
    this.tail = ByteBuffer.allocate(tailBytes).order(ByteOrder.LITTLE_ENDIAN);
    this.file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    file.position(ShardHeader.BYTES);
  }

  /**
   * Adds a document.
   *
   * @param data its tokens, {@link ShardHeader#tokenBytes} each
   */
  void add(MemorySegment data, long textBytes) throws IOException {
    for (long at = 0; at < data.byteSize(); ) {
      int n = (int) Math.min(block.remaining(), data.byteSize() - at);
      MemorySegment.copy(data, at, blockMemory, block.position(), n);
      block.position(block.position() + n);
      at += n;
      if (!block.hasRemaining()) flush();
    }
    tokens += data.byteSize() / shape.tokenBytes();
    tail.putLong(indexAt + 16 * documents, tokens);
    tail.putLong(indexAt + 16 * documents + 8, textBytes);
    documents++;
  }

  private void flush() throws IOException {
    block.flip();
    tail.putInt(4 * blocks++, ShardHeader.crc(block.duplicate()));
    AtomicFile.writeFully(file, block);
    block.clear();
  }

  /** Writes what is left; everything the header announced must have been added. */
  void finish() throws IOException {
    if (tokens != shape.tokens() || documents != shape.documents()) {
      throw new IllegalStateException(tokens + " tokens for a header of " + shape.tokens());
    }
    if (block.position() > 0) flush();
    file.position(shape.checksumsAt());
    AtomicFile.writeFully(file, tail.duplicate());
    AtomicFile.writeFully(file.position(0), shape.withIndexCrc(ShardHeader.crc(tail)).toBytes());
    file.force(true);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
