package org.bmojo.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * Hidden neighbours of a target: {@code .NAME.PID.partial} while process PID writes it, {@code
 * .NAME.previous} for the moment in which a folder changes places with its successor.
 */
final class Siblings {
  private final Path folder;
  private final String name;

  Siblings(Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    @Nullable Path parent = absolute.getParent();
    if (parent == null) throw new IllegalArgumentException(target + " has no parent folder");
    this.folder = parent;
    this.name = absolute.getFileName().toString();
  }

  Path folder() {
    return folder;
  }

  Path previous() {
    return folder.resolve("." + name + ".previous");
  }

  /** Where to write; nothing is there. What crashed processes left behind is removed first. */
  Path partial() throws IOException {
    long self = ProcessHandle.current().pid();
    String prefix = "." + name + ".";
    try (DirectoryStream<Path> all =
        Files.newDirectoryStream(folder, p -> isPartial(p.getFileName().toString(), prefix))) {
      for (Path p : all) {
        String file = p.getFileName().toString();
        String pid = file.substring(prefix.length(), file.length() - ".partial".length());
        long writer = Long.parseLong(pid);
        if (writer == self || ProcessHandle.of(writer).isEmpty()) delete(p);
      }
    }
    return folder.resolve(prefix + self + ".partial");
  }

  private static boolean isPartial(String file, String prefix) {
    return file.startsWith(prefix)
        && file.substring(prefix.length()).matches("[0-9]{1,18}\\.partial");
  }

  /** Removes a file or a whole folder; not being there is fine. */
  static void delete(Path path) throws IOException {
    if (Files.notExists(path)) return;
    try {
      Files.delete(path);
    } catch (DirectoryNotEmptyException _) {
      Files.walkFileTree(path, new Deletion());
    } catch (NoSuchFileException _) {
      // Another process was quicker.
    }
  }

  /**
   * Makes a rename in {@code folder}, or the names within it, survive a power cut. Windows cannot
   * open folders and does not need it.
   */
  static void force(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (AccessDeniedException onWindows) {
      if (!System.getProperty("os.name", "").startsWith("Windows")) throw onWindows;
    }
  }

  private static final class Deletion extends SimpleFileVisitor<Path> {
    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.deleteIfExists(file);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
        throws IOException {
      if (failure != null) throw failure;
      Files.deleteIfExists(folder);
      return FileVisitResult.CONTINUE;
    }
  }
}
