package org.bmojo.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** One safetensors file, mapped and checked. */
final class SafetensorsFile implements AutoCloseable {
  private final Path path;
  private final Mapping mapping;
  private final SafetensorsHeader header;
  private final long dataStart;

  private SafetensorsFile(Path path, Mapping mapping, SafetensorsHeader header, long dataStart) {
    this.path = path;
    this.mapping = mapping;
    this.header = header;
    this.dataStart = dataStart;
  }

  static SafetensorsFile open(Path path) {
    if (Files.isDirectory(path)) {
      throw new BadInput(path + " is a folder", "expected a safetensors file", "Name the file");
    }
    Mapping mapping = Mapping.open(path);
    try {
      MemorySegment bytes = mapping.bytes();
      long length = headerLength(bytes, path);
      byte[] json = bytes.asSlice(8, length).toArray(JAVA_BYTE);
      long dataStart = 8 + length;
      var header = SafetensorsHeader.parse(json, bytes.byteSize() - dataStart, path.toString());
      return new SafetensorsFile(path, mapping, header, dataStart);
    } catch (RuntimeException e) {
      mapping.close();
      throw e;
    }
  }

  private static long headerLength(MemorySegment bytes, Path path) {
    long size = bytes.byteSize();
    String cure = "Download or export the file again";
    if (size < 8) {
      throw new BadInput(
          path + " has " + size + " bytes", "expected a safetensors file of at least 8", cure);
    }
    long length = bytes.get(JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    if (length < 0 || length > size - 8) {
      throw new BadInput(
          path + " announces a header of " + Long.toUnsignedString(length) + " bytes",
          "expected at most the " + (size - 8) + " that follow",
          cure);
    }
    if (length > SafetensorsHeader.MAX_BYTES) {
      throw new BadInput(
          path + " announces a header of " + length + " bytes",
          "expected at most " + SafetensorsHeader.MAX_BYTES,
          cure);
    }
    return length;
  }

  Path path() {
    return path;
  }

  SafetensorsHeader header() {
    return header;
  }

  /** A tensor over the mapping. */
  Tensor tensor(TensorEntry entry) {
    if (entry.bytes() == 0) {
      return torch.empty(entry.sizes(), new TensorOptions(entry.dtype().torch()), null);
    }
    if (entry.dtype() == Dtype.BOOL) checkBooleans(entry);
    return mapping.view(dataStart + entry.begin(), entry.dtype(), entry.sizes());
  }

  /** In C++ a bool that is neither 0 nor 1 is undefined behaviour. */
  private void checkBooleans(TensorEntry entry) {
    MemorySegment data = mapping.bytes().asSlice(dataStart + entry.begin(), entry.bytes());
    for (long i = 0; i < data.byteSize(); i++) {
      byte b = data.get(JAVA_BYTE, i);
      if ((b & ~1) != 0) {
        throw new BadInput(
            path + ": tensor " + entry.name() + " has the byte " + (b & 0xff) + " at " + i,
            "expected 0 or 1 in BOOL",
            "Save it as U8 or export it again");
      }
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
