package org.bmojo.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.bmojo.serve.Memory;
import org.bmojo.serve.MemoryFile;
import org.jspecify.annotations.Nullable;

/**
 * Memories by name, each a file in one folder: loading takes milliseconds, so that none is kept in
 * native memory between requests, and a server that starts again still has them.
 */
final class SessionStore {
  /** Nothing in it means anything to a file system, on any system. */
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");

  private static final String PREFIX = "session-", SUFFIX = ".bm";
  private static final int MOST = 10_000;

  private final Path folder;
  private final MemoryFile format;
  private final SecureRandom random = new SecureRandom();

  SessionStore(Path folder, MemoryFile format) {
    this.folder = folder;
    this.format = format;
    makeFolder();
  }

  /** Again where somebody has deleted it meanwhile. */
  private void makeFolder() {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileTrouble.writing(folder, e);
    }
  }

  /**
   * What is told of a session.
   *
   * @param created seconds since 1970, when it was last written
   */
  record Info(String id, String object, long created, long bytes) {}

  /** A new name, or {@code wanted} if it is one that no session has. */
  String newName(@Nullable String wanted) {
    if (wanted == null) {
      byte[] bytes = new byte[12];
      random.nextBytes(bytes);
      return "s-" + HexFormat.of().formatHex(bytes);
    }
    if (Files.exists(file(wanted))) {
      throw ApiError.conflict(
          "There is a session \"" + wanted + "\" already. Delete it or choose another id.");
    }
    return wanted;
  }

  /** Refuses what cannot be a session's name. */
  void checkName(String name) {
    file(name);
  }

  private Path file(String name) {
    if (NAME.matcher(name).matches()) return folder.resolve(PREFIX + name + SUFFIX);
    String shown = name.length() > 80 ? name.substring(0, 80) + "…" : name;
    throw ApiError.field(
        "session", "\"" + shown + "\"", "up to 64 of a–z, 0–9, _ and -, a letter or digit first");
  }

  private static ApiError missing(String name) {
    return ApiError.notFound("There is no session \"" + name + "\".", "session_not_found");
  }

  /** Keeps {@code memory} under {@code name}, in place of what was there. */
  Info save(String name, Memory memory) {
    Path file = file(name);
    requireRoom(file);
    format.save(file, memory);
    return info(name);
  }

  private void requireRoom(Path file) {
    makeFolder();
    if (Files.exists(file) || names().size() < MOST) return;
    throw ApiError.conflict("There are " + MOST + " sessions, as many as may be. Delete some.");
  }

  /** The memory called {@code name}; to be closed. */
  Memory open(String name) {
    return format.fromBytes(bytes(name), "session " + name);
  }

  /** The file of session {@code name}. */
  byte[] bytes(String name) {
    try {
      return Files.readAllBytes(file(name));
    } catch (NoSuchFileException e) {
      throw missing(name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Keeps a file that was made here or elsewhere, once it has been found to be sound. */
  Info put(String name, byte[] bytes) {
    Path file = file(name);
    requireRoom(file);
    format.fromBytes(bytes, "the file that was sent").close();
    AtomicFile.replace(file, bytes);
    return info(name);
  }

  /** A second session with the same memory. */
  Info fork(String name, @Nullable String wanted) {
    String copy = newName(wanted);
    Path from = file(name), to = file(copy);
    requireRoom(to);
    try {
      Files.copy(from, to);
    } catch (FileAlreadyExistsException e) {
      throw ApiError.conflict("There is a session \"" + copy + "\" already.");
    } catch (NoSuchFileException e) {
      throw missing(name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return info(copy);
  }

  Info info(String name) {
    Path file = file(name);
    try {
      long seconds = Files.getLastModifiedTime(file).toMillis() / 1000;
      return new Info(name, "session", seconds, Files.size(file));
    } catch (NoSuchFileException e) {
      throw missing(name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void delete(String name) {
    try {
      if (!Files.deleteIfExists(file(name))) throw missing(name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All, by name. */
  List<String> names() {
    if (!Files.exists(folder)) return List.of();
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(f -> f.startsWith(PREFIX) && f.endsWith(SUFFIX))
          .map(f -> f.substring(PREFIX.length(), f.length() - SUFFIX.length()))
          .filter(f -> NAME.matcher(f).matches())
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
