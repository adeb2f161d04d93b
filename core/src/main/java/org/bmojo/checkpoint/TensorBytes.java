package org.bmojo.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** A few tensors in the safetensors format, in Java's memory instead of a file. */
public final class TensorBytes {
  private TensorBytes() {}

  /**
   * What was in the bytes.
   *
   * @param tensors copies on the CPU, in the caller's scope
   */
  public record Content(Map<String, Tensor> tensors, Map<String, String> metadata) {}

  /** Writes tensors of 2 GB together at most. */
  public static byte[] write(Map<String, Tensor> tensors, Map<String, String> metadata) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(1 << 20);
    try {
      SafetensorsWriter.write(Channels.newChannel(bytes), tensors, metadata);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
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
    if (length < 0 || length > size - 8) {
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
    Tensor copy = torch.empty(entry.sizes(), options, null);
    if (entry.bytes() > 0) {
      MemorySegment.ofAddress(copy.data_ptr().address())
          .reinterpret(entry.bytes())
          .copyFrom(data.asSlice(entry.begin(), entry.bytes()));
    }
    return copy;
  }
}
