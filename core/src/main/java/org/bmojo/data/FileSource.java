package org.bmojo.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import org.bmojo.io.FileTrouble;

/**
 * One text file, plain or gzipped. It is cut into some 64 parts (of 4 KiB to 1 MiB), or nothing of
 * a single book could be held out.
 */
record FileSource(Path file) implements TextSource {
  private static final int PARTS = 64;

  @Override
  public void forEach(Consumer<Document> action) {
    String name = file.getFileName().toString();
    try (InputStream in = open(file)) {
      int size = (int) Math.clamp(textBytes(file) / PARTS, 4 << 10, 1 << 20);
      PlainFile.read(name, in, size, action);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** The file's content, unpacked if its name ends in {@code .gz}. */
  static InputStream open(Path file) throws IOException {
    InputStream in = Files.newInputStream(file);
    if (!isGzip(file)) return in;
    try {
      return new GZIPInputStream(in, 1 << 16);
    } catch (IOException e) {
      in.close();
      throw e;
    }
  }

  private static boolean isGzip(Path file) {
    return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".gz");
  }

  /** Length when unpacked; of a gzip beyond 4 GB, or with several members, a lower bound. */
  private static long textBytes(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (!isGzip(file) || size < 18) return size;
      ByteBuffer trailer = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
      while (trailer.hasRemaining() && channel.read(trailer, size - trailer.remaining()) > 0) {}
      return Math.max(size, Integer.toUnsignedLong(trailer.getInt(0)));
    }
  }
}
