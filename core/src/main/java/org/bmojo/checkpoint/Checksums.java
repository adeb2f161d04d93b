package org.bmojo.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code checksums.json}: length and CRC-32C of every other file in the folder, by name. A file
 * that has a line here is checked when it is read; one that was added later has none.
 */
final class Checksums {
  static final String FILE = "checksums.json";

  private static final Logger LOG = LoggerFactory.getLogger(Checksums.class);
  private static final long STEP = 1 << 30;

  private record Line(long bytes, String crc32c) {}

  /** The file's content; a record, so that the reader knows the lines' type. */
  private record Content(Map<String, Line> files) {}

  private final Path folder;
  private final Map<String, Line> files;

  private Checksums(Path folder, Map<String, Line> files) {
    this.folder = folder;
    this.files = files;
  }

  /** Writes the lines of all files that are there now. */
  static void write(Path folder) throws IOException {
    Map<String, Line> lines = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) lines.put(file.getFileName().toString(), line(file));
    }
    AtomicFile.replace(folder.resolve(FILE), Json.bytes(new Content(lines)));
  }

  static Checksums read(Path folder) {
    Path file = folder.resolve(FILE);
    if (Files.exists(file)) return new Checksums(folder, Json.read(file, Content.class).files);
    LOG.warn("{} is not there: what is read from {} cannot be checked", FILE, folder);
    return new Checksums(folder, Map.of());
  }

  /** The path of file {@code name}, once it has been found to be what was written. */
  Path verified(String name) {
    Path file = folder.resolve(name);
    @Nullable Line expected = files.get(name);
    if (expected == null) return file;
    if (Files.notExists(file)) {
      throw new BadInput(
          file + " is missing", "expected the file that was saved", "Copy the whole folder anew");
    }
    Line found;
    try {
      found = line(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
    if (found.equals(expected)) return file;
    throw new BadInput(
        "%s was changed since it was saved (%d bytes, CRC-32C %s)"
            .formatted(file, found.bytes, found.crc32c),
        "expected %d bytes, CRC-32C %s".formatted(expected.bytes, expected.crc32c),
        "Copy the folder anew; if the change is meant, remove the file's line from " + FILE);
  }

  private static Line line(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofConfined()) {
      long size = channel.size();
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      for (long at = 0; at < size; at += STEP) {
        crc.update(all.asSlice(at, Math.min(STEP, size - at)).asByteBuffer());
      }
      return new Line(size, "%08x".formatted(crc.getValue()));
    }
  }
}
