package org.bmojo.report;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32C;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;

/**
 * Numbers over steps as TensorBoard reads them: a file of records, each with its length and two
 * checksums, that hold Event messages of TensorFlow's {@code event.proto}.
 *
 * <pre>
 *   length u64 | masked CRC-32C of it u32 | message | masked CRC-32C of it u32      little-endian
 * </pre>
 */
public final class EventFile implements AutoCloseable {
  private static final String VERSION = "brain.Event:2";
  private static final int MASK = 0xa282ead8;

  // Numbers of fields: Event.{wall_time, step, file_version, summary, session_log}
  private static final int WALL_TIME = 1, STEP = 2, FILE_VERSION = 3, SUMMARY = 5, SESSION = 7;
  // Summary.value, Value.{tag, simple_value}, SessionLog.status and its START
  private static final int VALUE = 1, TAG = 1, SIMPLE_VALUE = 2, STATUS = 1, START = 1;

  private final Path path;
  private final FileChannel file;

  private EventFile(Path path, FileChannel file) {
    this.path = path;
    this.file = file;
  }

  /**
   * Begins a new file in {@code folder}; whatever files before it say of later steps no longer
   * counts.
   *
   * @param step after which it goes on
   * @param now seconds since 1970, part of the name
   */
  public static EventFile begin(Path folder, long step, double now) {
    try {
      Files.createDirectories(folder);
      Path path = free(folder, (long) now);
      EventFile events = new EventFile(path, FileChannel.open(path, CREATE_NEW, WRITE));
      Message first = new Message().fixed64(WALL_TIME, now).bytes(FILE_VERSION, VERSION);
      events.append(first);
      Message start = new Message().varint(STATUS, START);
      events.append(
          new Message().fixed64(WALL_TIME, now).varint(STEP, step + 1).message(SESSION, start));
      return events;
    } catch (IOException e) {
      throw FileTrouble.writing(folder, e);
    }
  }

  private static Path free(Path folder, long now) {
    for (int i = 0; ; i++) {
      Path path = folder.resolve("events.out.tfevents.%010d.%04d.bmojo".formatted(now, i));
      if (!Files.exists(path)) return path;
    }
  }

  /** Appends the values of one step. */
  public void scalars(long step, double now, Map<String, Double> values) {
    Message summary = new Message();
    values.forEach((tag, value) ->
        summary.message(
            VALUE, new Message().bytes(TAG, tag).fixed32(SIMPLE_VALUE, value.floatValue())));
    Message event = new Message().fixed64(WALL_TIME, now).varint(STEP, step);
    try {
      append(event.message(SUMMARY, summary));
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }

  private void append(Message message) throws IOException {
    byte[] bytes = message.out.toByteArray();
    ByteBuffer record = little(bytes.length + 16).putLong(bytes.length);
    record.putInt(masked(record.array(), 8)).put(bytes).putInt(masked(bytes, bytes.length));
    AtomicFile.writeFully(file, record.flip());
  }

  private static int masked(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }

  /** A protocol buffer being written, field by field. */
  private static final class Message {
    private static final int VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5; // wire types

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private void number(long value) {
      long rest = value;
      for (; (rest & ~0x7fL) != 0; rest >>>= 7) out.write((int) (rest & 0x7f | 0x80));
      out.write((int) rest);
    }

    private void key(int field, int type) {
      number((long) field << 3 | type);
    }

    Message varint(int field, long value) {
      key(field, VARINT);
      number(value);
      return this;
    }

    Message fixed64(int field, double value) {
      key(field, FIXED64);
      out.writeBytes(little(8).putDouble(value).array());
      return this;
    }

    Message fixed32(int field, float value) {
      key(field, FIXED32);
      out.writeBytes(little(4).putFloat(value).array());
      return this;
    }

    Message bytes(int field, String text) {
      return bytes(field, text.getBytes(UTF_8));
    }

    Message message(int field, Message inner) {
      return bytes(field, inner.out.toByteArray());
    }

    private Message bytes(int field, byte[] value) {
      key(field, BYTES);
      number(value.length);
      out.writeBytes(value);
      return this;
    }
  }
}
