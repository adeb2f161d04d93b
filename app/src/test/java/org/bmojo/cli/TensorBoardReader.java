package org.bmojo.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads event files by the formats' descriptions, sharing nothing with their writer. */
final class TensorBoardReader {
  record Scalar(long step, String tag, float value) {}

  private final List<Scalar> scalars = new ArrayList<>();
  private final List<Long> restarts = new ArrayList<>();
  private String version = "";

  private TensorBoardReader(Path file) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      byte[] length = new byte[8];
      in.get(length);
      assertThat(in.getInt()).isEqualTo(masked(length));
      byte[] data =
          new byte[(int) ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong()];
      in.get(data);
      assertThat(in.getInt()).isEqualTo(masked(data));
      event(ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN));
    }
    assertThat(version).isEqualTo("brain.Event:2");
  }

  static List<Scalar> read(Path file) throws IOException {
    return new TensorBoardReader(file).scalars;
  }

  /** Steps from which on earlier files no longer count. */
  static List<Long> restarts(Path file) throws IOException {
    return new TensorBoardReader(file).restarts;
  }

  /** CRC-32C bit by bit (Castagnoli, reflected), rotated and shifted as TFRecord wants it. */
  private static int masked(byte[] bytes) {
    int crc = ~0;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int i = 0; i < 8; i++) crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
    }
    crc = ~crc;
    return (crc >>> 15 | crc << 17) + 0xa282ead8;
  }

  private void event(ByteBuffer in) {
    long step = 0;
    double time = 0;
    List<ByteBuffer> summaries = new ArrayList<>();
    boolean session = false;
    while (in.hasRemaining()) {
      switch ((int) varint(in)) {
        case 0x09 -> time = in.getDouble();
        case 0x10 -> step = varint(in);
        case 0x1a -> version = UTF_8.decode(bytes(in)).toString();
        case 0x2a -> summaries.add(bytes(in));
        case 0x3a -> session = bytes(in).equals(ByteBuffer.wrap(new byte[] {0x08, 1}));
        default -> throw new AssertionError("a field that scalars do not need");
      }
    }
    assertThat(time).isGreaterThan(1.5e9);
    if (session) restarts.add(step);
    for (ByteBuffer summary : summaries) {
      while (summary.hasRemaining()) {
        assertThat(varint(summary)).isEqualTo(0x0a);
        scalars.add(value(step, bytes(summary)));
      }
    }
  }

  private static Scalar value(long step, ByteBuffer in) {
    assertThat(varint(in)).isEqualTo(0x0a);
    String tag = UTF_8.decode(bytes(in)).toString();
    assertThat(varint(in)).isEqualTo(0x15);
    float value = in.getFloat();
    assertThat(in.hasRemaining()).isFalse();
    return new Scalar(step, tag, value);
  }

  private static ByteBuffer bytes(ByteBuffer in) {
    int length = (int) varint(in);
    ByteBuffer slice = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + length);
    return slice;
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte b = in.get();
      value |= (long) (b & 0x7f) << shift;
      if (b >= 0) return value;
    }
  }
}
