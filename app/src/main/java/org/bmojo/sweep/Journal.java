package org.bmojo.sweep;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * The outcomes in a folder, and the file among them to which new ones are appended. A line is
 * written whole and forced to the disk before the next trial counts as done; what a kill left of a
 * line is cut off when the file is opened again. Threads may share one.
 */
public final class Journal implements AutoCloseable {
  /** How the names of all journals begin. */
  public static final String NAME = "trials";

  private static final String EXTENSION = ".jsonl";

  private final Path file;
  private final FileChannel channel;
  private final Set<String> keys = new HashSet<>();

  private Journal(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Opens a folder's journal, which no other process may have open.
   *
   * @param name of the file, without its extension
   * @param aloud is told of repairs
   * @throws BadInput if it is in use, damaged in its middle, or may not be written
   */
  public static Journal open(Path folder, String name, Consumer<String> aloud) {
    Path file = folder.resolve(name + EXTENSION);
    try {
      Files.createDirectories(folder);
      FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      try {
        lock(channel, file);
        repair(channel, file, aloud);
        Journal journal = new Journal(file, channel);
        for (Outcome outcome : read(folder)) journal.keys.add(outcome.key());
        return journal;
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      throw FileTrouble.writing(file, e);
    }
  }

  /** Every outcome in the folder's journals, each key once. A last line cut off is left out. */
  public static List<Outcome> read(Path folder) {
    List<Outcome> outcomes = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (Path file : files(folder)) {
      byte[] bytes = bytes(file);
      int end = whole(bytes);
      String[] lines = new String(bytes, 0, end, UTF_8).split("\n", -1);
      for (int i = 0; i + 1 < lines.length; i++) {
        Outcome outcome = parse(lines[i], file, i + 1);
        if (seen.add(outcome.key())) outcomes.add(outcome);
      }
    }
    return outcomes;
  }

  /** Whether some journal of the folder has the trial's outcome. */
  public synchronized boolean has(String key) {
    return keys.contains(key);
  }

  /** Appends a line and forces it to the disk. */
  public synchronized void add(Outcome outcome) {
    byte[] line = (SweepJson.line(outcome) + "\n").getBytes(UTF_8);
    try {
      AtomicFile.writeFully(channel, ByteBuffer.wrap(line));
      channel.force(false);
    } catch (IOException e) {
      throw FileTrouble.writing(file, e);
    }
    keys.add(outcome.key());
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileTrouble.writing(file, e);
    }
  }

  private static void lock(FileChannel channel, Path file) throws IOException {
    @Nullable FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new BadInput(
          file + " is in use by another sweep",
          "expected a journal of one's own",
          "Wait for the other, or share the work with --shard");
    }
  }

  /** Cuts off what a kill left of a line, and leaves the channel at the end. */
  private static void repair(FileChannel channel, Path file, Consumer<String> aloud)
      throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    int end = whole(bytes);
    if (end < bytes.length) {
      channel.truncate(end);
      channel.force(true);
      aloud.accept(
          "%s ended within a line, as a kill leaves it: %d bytes were cut off, that trial runs again"
              .formatted(file, bytes.length - end));
    }
    channel.position(end);
  }

  /** Where the last whole line ends. */
  private static int whole(byte[] bytes) {
    int end = bytes.length;
    while (end > 0 && bytes[end - 1] != '\n') end--;
    return end;
  }

  private static List<Path> files(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(Journal::isJournal).sorted().toList();
    } catch (IOException e) {
      throw FileTrouble.reading(folder, e);
    }
  }

  private static boolean isJournal(Path file) {
    String name = file.getFileName().toString();
    return name.startsWith(NAME) && name.endsWith(EXTENSION);
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  private static Outcome parse(String line, Path file, int number) {
    try {
      return SweepJson.outcome(line);
    } catch (JacksonException e) {
      throw new BadInput(
          "line " + number + " of " + file + " is no outcome of a trial",
          "expected JSON lines that sweep wrote",
          "Remove the line, and its trial runs again; or move the file elsewhere",
          e);
    }
  }
}
