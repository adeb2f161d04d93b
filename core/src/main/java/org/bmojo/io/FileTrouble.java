package org.bmojo.io;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/** Says what the operating system would not do, and what the user can do about it. */
public final class FileTrouble {
  private FileTrouble() {}

  /** {@code path} could not be read. */
  public static BadInput reading(Path path, IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return new BadInput(path + " does not exist", "expected a file", "Check the path", cause);
    }
    if (cause instanceof AccessDeniedException || !Files.isReadable(path)) {
      return new BadInput(
          path + " may not be read", "expected a readable file", "Change its permissions", cause);
    }
    return new BadInput(
        path + " could not be read (" + reason(cause) + ")",
        "expected a readable file",
        "Check the disk, or copy the file anew",
        cause);
  }

  /** {@code path} could not be written; whatever it held before is still there. */
  public static BadInput writing(Path path, IOException cause) {
    @Nullable Path folder = path.toAbsolutePath().getParent();
    if (cause instanceof AccessDeniedException
        || (folder != null && Files.exists(folder) && !Files.isWritable(folder))) {
      return new BadInput(
          path + " may not be written",
          "expected a folder that this user can write to",
          "Choose another folder or change its permissions",
          cause);
    }
    return new BadInput(
        path + " could not be written (" + reason(cause) + ")",
        "expected a disk with room, and " + free(folder),
        "Free some space or choose another folder",
        cause);
  }

  private static String free(@Nullable Path folder) {
    if (folder == null || !Files.exists(folder)) return "its folder does not exist";
    try {
      return Files.getFileStore(folder).getUsableSpace() / 1_000_000 + " MB are free";
    } catch (IOException unknown) {
      return "how much is free cannot be told";
    }
  }

  private static String reason(IOException cause) {
    if (cause instanceof CharacterCodingException) return "it is not UTF-8";
    if (cause instanceof FileSystemException f && f.getReason() != null) return f.getReason();
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }
}
