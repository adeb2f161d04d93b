package org.bmojo.serve;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.bmojo.checkpoint.TensorBytes;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.MixerState;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Memories of one model as bytes, and as files of a few MB:
 *
 * <pre>
 *   8 bytes   "BMOJOMEM"
 *   4 bytes   format version, {@value #VERSION}, little-endian like all numbers
 *   4 bytes   CRC-32C of the CRC-32Cs of each megabyte of what comes after the next number
 *   8 bytes   how many bytes follow
 *   the rest  safetensors: the state's parts, "pending" and "ids";
 *             metadata "model" (a fingerprint) and "position"
 * </pre>
 *
 * <p>Keys and values, nearly all of a memory, are rounded to bfloat16 on the way: attention takes
 * means of them, and half the bytes are half the time. What goes on from itself, such as the state
 * of a recurrence, and what decides, such as scores, keeps every digit. So whoever goes on from a
 * file sees logits a few thousandths off those of the memory that was saved; a file that was loaded
 * and saved again is the same file.
 *
 * <p>A state means something to the model that made it only, so a memory of any other is refused.
 */
public final class MemoryFile {
  /** Of the format that is written. */
  public static final int VERSION = 2;

  private static final byte[] MAGIC = "BMOJOMEM".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER = 24;
  private static final String PENDING = "pending", IDS = "ids", STATE = "state.";
  private static final String AGAIN = "Make it again with ./bmojo remember, or copy it anew";

  private final LanguageModel model;
  private final String fingerprint;

  /** Of {@code model}, whose weights are read once for its fingerprint. */
  public MemoryFile(LanguageModel model) {
    this.model = model;
    this.fingerprint = Fingerprint.of(model);
  }

  /** The model's, as it stands in memories. */
  public String fingerprint() {
    return fingerprint;
  }

  /** Writes {@code memory} at once: whatever fails, {@code file} is the old one or the new one. */
  public void save(Path file, Memory memory) {
    writing(memory, content -> AtomicFile.replace(file, content::writeTo));
  }

  /**
   * Reads a memory.
   *
   * @return to be closed by the caller
   * @throws BadInput if it is none, is damaged, of a newer format, or of another model
   */
  public Memory load(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofShared()) {
      // Mapped, for all cores, while it is checked and copied, which spares a copy through Java's
      // memory.
      long size = channel.size();
      return read(channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena), file.toString());
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** The file's content. */
  public byte[] toBytes(Memory memory) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    writing(
        memory,
        content -> {
          try {
            content.writeTo(Channels.newChannel(bytes));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    return bytes.toByteArray();
  }

  /**
   * The memory in a file's content.
   *
   * @param where names the source in messages
   */
  public Memory fromBytes(byte[] bytes, String where) {
    return read(MemorySegment.ofArray(bytes), where);
  }

  /** All of a file. */
  private record Content(Map<String, Tensor> tensors, Map<String, String> metadata) {
    void writeTo(WritableByteChannel out) throws IOException {
      Pieces pieces = new Pieces();
      TensorBytes.write(pieces, tensors, metadata);
      ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
      header.put(MAGIC).putInt(VERSION).putInt(pieces.checksum()).putLong(pieces.length()).flip();
      writeFully(out, header);
      for (MemorySegment part : pieces.parts()) writeFully(out, part.asByteBuffer());
    }

    private static void writeFully(WritableByteChannel out, ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) out.write(bytes);
    }
  }

  private void writing(Memory memory, Consumer<Content> writer) {
    try (Scope _ = new Scope();
        Memory own = memory.share()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      own.state().tensors().forEach((name, t) -> tensors.put(STATE + name, kept(name, t)));
      tensors.put(PENDING, column(own.pending()));
      tensors.put(IDS, column(own.ids()));
      String position = Long.toString(own.state().position(0));
      writer.accept(new Content(tensors, Map.of("model", fingerprint, "position", position)));
    }
  }

  /** A part as it is kept: keys and values in 16 bits. */
  private static Tensor kept(String name, Tensor part) {
    boolean narrow =
        MixerState.bearsRounding(name) && part.scalar_type().intern() == ScalarType.Float;
    return (narrow ? part.to(ScalarType.BFloat16) : part).cpu().contiguous();
  }

  private static Tensor column(int[] ids) {
    return Ids.tensor(ids).flatten().to(ScalarType.Int);
  }

  private Memory read(MemorySegment bytes, String where) {
    verify(bytes, where);
    try (Scope _ = new Scope()) {
      TensorBytes.Content content = TensorBytes.read(bytes.asSlice(HEADER), where);
      requireOwn(content.metadata().get("model"), where);
      int[] pending = ids(content.tensors().remove(PENDING), where);
      int[] ids = ids(content.tensors().remove(IDS), where);
      Map<String, Tensor> parts = new LinkedHashMap<>();
      content
          .tensors()
          .forEach((name, tensor) -> {
            if (!name.startsWith(STATE)) throw bad(where + " holds " + name, "expected a state");
            parts.put(name.substring(STATE.length()), tensor);
          });
      ModelState state = model.newState(0); // filled below, without ever having been zeros
      try {
        state.fill(parts, position(content.metadata().get("position"), where));
        return new Memory(state, pending, ids);
      } catch (BadInput e) {
        state.close();
        throw e;
      }
    }
  }

  private static void verify(MemorySegment all, String where) {
    ByteBuffer head =
        all.asSlice(0, Math.min(HEADER, all.byteSize()))
            .asByteBuffer()
            .order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[MAGIC.length];
    if (head.remaining() >= MAGIC.length) head.get(magic);
    if (!Arrays.equals(magic, MAGIC)) {
      throw bad(where + " is no memory", "expected a file that begins with BMOJOMEM");
    }
    if (head.limit() < HEADER) {
      throw bad(where + " has " + head.limit() + " bytes", "expected at least " + HEADER);
    }
    int version = head.getInt();
    if (version != VERSION) {
      throw new BadInput(
          where + " has format version " + Integer.toUnsignedString(version),
          "expected " + VERSION,
          "Use the version of this program that wrote it, or read the document again");
    }
    int checksum = head.getInt();
    long length = head.getLong(), found = all.byteSize() - HEADER;
    if (length != found) {
      throw bad(
          where + " has " + found + " bytes after its header",
          "expected " + length + ", so it was cut off or added to");
    }
    int sum = found == 0 ? 0 : Pieces.of(all.asSlice(HEADER)).checksum();
    if (sum != checksum) {
      throw bad(
          "%s was changed since it was written (CRC-32C %08x)".formatted(where, sum),
          "expected %08x".formatted(checksum));
    }
  }

  private void requireOwn(@Nullable String maker, String where) {
    if (fingerprint.equals(maker)) return;
    throw new BadInput(
        where + " was made by model " + maker,
        "expected one of this model, " + fingerprint + ": a state means nothing to other weights",
        "Open it with the model that made it, or read the document again with this one");
  }

  private int[] ids(@Nullable Tensor tensor, String where) {
    if (tensor == null || tensor.dim() != 1 || tensor.scalar_type().intern() != ScalarType.Int) {
      throw bad(where + " lacks its ids", "expected them in one column");
    }
    try (Scope _ = new Scope()) {
      if (tensor.numel() > 0) {
        long low = tensor.min().item_int(), high = tensor.max().item_int();
        if (low < 0 || high >= model.config().vocabulary()) {
          throw bad(where + " has ids from " + low + " to " + high, "expected the model's");
        }
      }
      int[] ids = new int[(int) tensor.numel()];
      if (ids.length > 0) new IntPointer(tensor.data_ptr()).get(ids);
      return ids;
    }
  }

  private static long position(@Nullable String text, String where) {
    try {
      long position = text == null ? -1 : Long.parseLong(text);
      if (position >= 0) return position;
    } catch (NumberFormatException e) {
      // Refused below.
    }
    throw bad(where + " is at position " + text, "expected a number from 0");
  }

  private static BadInput bad(String found, String expected) {
    return new BadInput(found, expected, AGAIN);
  }
}
