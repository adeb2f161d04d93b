package org.bmojo.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;

/**
 * Replaces a folder as a whole. The files are written into a sibling and forced to the disk; then
 *
 * <ol>
 *   <li>the old folder is renamed to {@code .NAME.previous},
 *   <li>the sibling is renamed to {@code NAME},
 *   <li>{@code .NAME.previous} is deleted.
 * </ol>
 *
 * <p>No file system renames a folder onto a full one, so between 1 and 2 there is no {@code NAME}:
 * readers ask {@link #current} where the folder is, and the next {@link #replace} mends what a
 * crash left.
 */
public final class AtomicFolder {
  private AtomicFolder() {}

  /** What is to be in the folder. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything into an empty folder. */
    void writeTo(Path folder) throws IOException;
  }

  /** The folder to read: {@code target}, or what it was if a crash came between two renames. */
  public static Path current(Path target) {
    Path previous = new Siblings(target).previous();
    return Files.notExists(target) && Files.isDirectory(previous) ? previous : target;
  }

  /**
   * Makes {@code target} a folder with {@code content}, and nothing else.
   *
   * @throws BadInput if the file system refuses; the target is then as it was
   */
  public static void replace(Path target, Content content) {
    if (Files.exists(target) && !Files.isDirectory(target)) {
      throw new BadInput(target + " is a file", "expected a folder", "Choose another name");
    }
    Siblings siblings = new Siblings(target);
    try {
      Files.createDirectories(siblings.folder());
      Path partial = siblings.partial();
      try {
        Files.createDirectory(partial);
        content.writeTo(partial);
        force(partial);
        swap(partial, target, siblings);
      } finally {
        Siblings.delete(partial);
      }
    } catch (UncheckedIOException e) {
      throw FileTrouble.writing(target, Objects.requireNonNull(e.getCause()));
    } catch (IOException e) {
      throw FileTrouble.writing(target, e);
    }
  }

  private static void swap(Path partial, Path target, Siblings siblings) throws IOException {
    Path previous = siblings.previous();
    boolean replaces = Files.exists(target);
    if (replaces) {
      Siblings.delete(previous);
      Files.move(target, previous, StandardCopyOption.ATOMIC_MOVE);
    }
    try {
      Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      if (replaces) Files.move(previous, target, StandardCopyOption.ATOMIC_MOVE);
      throw e;
    }
    Siblings.force(siblings.folder());
    Siblings.delete(previous);
  }

  /** Forces every file below {@code folder}, and the names of them, to the disk. */
  private static void force(Path folder) throws IOException {
    List<Path> all;
    try (Stream<Path> walk = Files.walk(folder)) {
      all = walk.toList();
    }
    for (Path path : all) {
      if (Files.isDirectory(path)) {
        Siblings.force(path);
      } else {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
          file.force(true);
        }
      }
    }
  }
}
