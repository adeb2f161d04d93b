package org.bmojo.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.bmojo.io.FileTrouble;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.PointerConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A file in memory, read-only, for as long as its opener or any tensor over it lives: libtorch
 * calls {@link #RELEASE} when the last handle on a tensor's storage is gone, and the last to leave
 * unmaps.
 */
final class Mapping implements AutoCloseable {
  /** Mappings that tensors may refer to, by first address. */
  private static final ConcurrentSkipListMap<Long, Mapping> LIVE = new ConcurrentSkipListMap<>();

  /** The one callback; JavaCPP has room for ten of a kind only. */
  private static final PointerConsumer RELEASE =
      new PointerConsumer() {
        @Override
        public void call(Pointer data) {
          Map.Entry<Long, Mapping> owner = LIVE.floorEntry(data.address());
          if (owner != null) owner.getValue().release();
        }
      };

  static {
    // This class may be loaded inside somebody's scope, which must not take the callback with it.
    RELEASE.retainReference();
  }

  private final Arena arena = Arena.ofShared();
  private final MemorySegment bytes;
  private int holders = 1;
  private boolean closed;

  private Mapping(FileChannel channel) throws IOException {
    bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    if (bytes.byteSize() > 0) LIVE.put(bytes.address(), this);
  }

  static Mapping open(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return new Mapping(channel);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** The file's content; not to be used after {@link #close}. */
  MemorySegment bytes() {
    return bytes;
  }

  /**
   * A tensor over part of the file, or a copy where libtorch could not address it.
   *
   * @param offset first byte, from the start of the file
   * @param sizes shape; at least one element
   */
  Tensor view(long offset, Dtype dtype, long[] sizes) {
    MemorySegment data = bytes.asSlice(offset, torchBytes(dtype, sizes));
    TensorOptions options = new TensorOptions(dtype.torch());
    if (data.address() % dtype.bytes() != 0) {
      Tensor copy = torch.empty(sizes, options, null);
      MemorySegment.ofAddress(copy.data_ptr().address())
          .reinterpret(data.byteSize())
          .copyFrom(data);
      return copy;
    }
    acquire();
    return torch.from_blob(new Address(data.address()), sizes, RELEASE, options);
  }

  private static long torchBytes(Dtype dtype, long[] sizes) {
    long product = dtype.bytes();
    for (long size : sizes) product *= size;
    return product;
  }

  private synchronized void acquire() {
    if (closed) throw new IllegalStateException("the file is closed");
    holders++;
  }

  private synchronized void release() {
    if (--holders > 0) return;
    LIVE.remove(bytes.address());
    arena.close();
  }

  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    release();
  }

  private static final class Address extends Pointer {
    Address(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }
}
