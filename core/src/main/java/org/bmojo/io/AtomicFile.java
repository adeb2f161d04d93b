package org.bmojo.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.bmojo.error.BadInput;

/**
 * Replaces a file in one step: the new content goes to a sibling, is forced to the disk and renamed
 * onto the target. Whatever fails, and whenever the process dies, the target is the old file or the
 * new one, never a part.
 */
public final class AtomicFile {
  private AtomicFile() {}

  /** What is to be in the file. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything to an empty file. */
    void writeTo(FileChannel file) throws IOException;
  }

  /**
   * Makes {@code target} hold {@code content}.
   *
   * @throws BadInput if the file system refuses (full, read-only, no such folder); the target is
   *     then as it was
   */
  public static void replace(Path target, Content content) {
    Siblings siblings = new Siblings(target);
    if (Files.isDirectory(target)) {
      throw new BadInput(target + " is a folder", "expected a file", "Choose another name");
    }
    try {
      Path partial = siblings.partial();
      try {
        writeNew(partial, content);
        Files.move(
            partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Siblings.delete(partial);
      }
      Siblings.force(siblings.folder());
    } catch (IOException e) {
      throw FileTrouble.writing(target, e);
    }
  }

  /** Makes {@code target} hold {@code bytes}. */
  public static void replace(Path target, byte[] bytes) {
    replace(target, file -> writeFully(file, ByteBuffer.wrap(bytes)));
  }

  /** Writes a file that does not exist yet and forces it to the disk. */
  static void writeNew(Path path, Content content) throws IOException {
    try (FileChannel file =
        FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      content.writeTo(file);
      file.force(true);
    }
  }

  /** Writes all that remains in {@code buffer}. */
  public static void writeFully(FileChannel file, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) file.write(buffer);
  }
}
