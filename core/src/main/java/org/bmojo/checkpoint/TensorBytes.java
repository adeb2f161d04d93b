package org.bmojo.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** A few tensors in the safetensors format, as part of something larger. */
public final class TensorBytes {
  private TensorBytes() {}

  /**
   * What is in some bytes.
   *
   * @param tensors on the CPU, in the caller's scope; they may lie over the bytes, so they are to
   *     be read only, and only as long as those are there
   */
  public record Content(Map<String, Tensor> tensors, Map<String, String> metadata) {}

  /** Writes tensors without a second copy of them; the same tensors make the same bytes. */
  public static void write(
      WritableByteChannel to, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    SafetensorsWriter.write(to, tensors, metadata);
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @param where names the source in messages
   * @throws BadInput if anything is malformed
   */
  public static Content read(MemorySegment bytes, String where) {
    long size = bytes.byteSize();
    long length =
        size < 8 ? -1 : bytes.get(JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    if (length < 0 || length > Math.min(size - 8, SafetensorsHeader.MAX_BYTES)) {
      throw new BadInput(
          where + " announces a header of " + length + " bytes",
          "expected at most the " + Math.max(0, size - 8) + " that follow",
          "Make or copy it again");
    }
    byte[] json = bytes.asSlice(8, length).toArray(JAVA_BYTE);
    MemorySegment data = bytes.asSlice(8 + length);
    SafetensorsHeader header = SafetensorsHeader.parse(json, data.byteSize(), where);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    header.tensors().forEach((name, entry) -> tensors.put(name, tensor(data, entry)));
    return new Content(tensors, header.metadata());
  }

  private static Tensor tensor(MemorySegment data, TensorEntry entry) {
    TensorOptions options = new TensorOptions(entry.dtype().torch());
    MemorySegment own = data.asSlice(entry.begin(), entry.bytes());
    boolean addressable = own.isNative() && own.address() % entry.dtype().bytes() == 0;
    if (addressable && entry.bytes() > 0) {
      return torch.from_blob(new Address(own.address()), entry.sizes(), options);
    }
    Tensor copy = torch.empty(entry.sizes(), options, null);
    if (entry.bytes() > 0) {
      MemorySegment.ofAddress(copy.data_ptr().address()).reinterpret(entry.bytes()).copyFrom(own);
    }
    return copy;
  }

  private static final class Address extends Pointer {
    Address(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }
}
