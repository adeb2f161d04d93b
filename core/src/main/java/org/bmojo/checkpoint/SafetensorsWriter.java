package org.bmojo.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/**
 * Writes tensors in the safetensors format, one after another, without a second copy in memory: one
 * that is on a GPU or not contiguous is copied for as long as it is being written.
 */
final class SafetensorsWriter {
  /** A ByteBuffer holds 2 GB at most; smaller steps let a full disk show early. */
  private static final long STEP = 64 << 20;

  private SafetensorsWriter() {}

  static void write(
      WritableByteChannel channel, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    SafetensorsHeader header = header(tensors, metadata);
    byte[] json = header.toBytes();
    ByteBuffer head = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN);
    writeFully(channel, head.putLong(json.length).put(json).flip());
    for (TensorEntry entry : header.tensors().values()) {
      Tensor tensor = tensors.get(entry.name());
      if (tensor == null) throw new AssertionError(entry.name());
      writeData(channel, tensor);
    }
  }

  /** Widest elements first, so that each tensor begins at a multiple of its element size. */
  private static SafetensorsHeader header(
      Map<String, Tensor> tensors, Map<String, String> metadata) {
    List<TensorEntry> entries = new ArrayList<>();
    tensors.forEach((name, tensor) -> entries.add(sized(name, tensor)));
    entries.sort(
        Comparator.comparingInt((TensorEntry e) -> -e.dtype().bytes())
            .thenComparing(TensorEntry::name));
    Map<String, TensorEntry> placed = new LinkedHashMap<>();
    long begin = 0;
    for (TensorEntry e : entries) {
      long end = begin + e.bytes();
      placed.put(e.name(), new TensorEntry(e.name(), e.dtype(), e.shape(), begin, end));
      begin = end;
    }
    return new SafetensorsHeader(placed, metadata);
  }

  private static TensorEntry sized(String name, Tensor tensor) {
    Dtype dtype =
        Dtype.of(tensor.scalar_type())
            .orElseThrow(() ->
                new BadInput(
                    "tensor " + name + " has elements of type " + tensor.scalar_type().intern(),
                    "expected one of " + Arrays.toString(Dtype.values()),
                    "Convert it before saving"));
    List<Long> shape = Arrays.stream(tensor.shape()).boxed().toList();
    return new TensorEntry(name, dtype, shape, 0, tensor.numel() * dtype.bytes());
  }

  private static void writeData(WritableByteChannel channel, Tensor tensor) throws IOException {
    try (Scope _ = new Scope()) {
      Tensor local = tensor.detach();
      if (!local.device().is_cpu()) local = local.cpu();
      local = local.contiguous();
      long bytes = local.numel() * local.element_size();
      if (bytes == 0) return;
      MemorySegment data = MemorySegment.ofAddress(local.data_ptr().address()).reinterpret(bytes);
      for (long at = 0; at < bytes; at += STEP) {
        writeFully(channel, data.asSlice(at, Math.min(STEP, bytes - at)).asByteBuffer());
      }
    }
  }

  private static void writeFully(WritableByteChannel channel, ByteBuffer buffer)
      throws IOException {
    while (buffer.hasRemaining()) channel.write(buffer);
  }
}
