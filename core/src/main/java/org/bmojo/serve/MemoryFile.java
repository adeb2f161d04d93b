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
import java.util.zip.CRC32C;
import org.bmojo.checkpoint.TensorBytes;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;
import org.bmojo.kernels.torch.Scope;
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
 *   4 bytes   CRC-32C of all that follows
 *   8 bytes   how many bytes follow
 *   the rest  safetensors: the state's parts, "pending" and "ids";
 *             metadata "model" (a fingerprint) and "position"
 * </pre>
 *
 * <p>A state means something to the model that made it only, so a memory of any other is refused.
 */
public final class MemoryFile {
  /** Of the format that is written. */
  public static final int VERSION = 1;

  private static final byte[] MAGIC = "BMOJOMEM".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER = 24;
  private static final long STEP = 1 << 30;
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
        Arena arena = Arena.ofConfined()) {
      // Mapped while it is checked and copied, which spares a copy through Java's memory.
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
    /** Twice through the tensors: the checksum stands before them. */
    void writeTo(WritableByteChannel out) throws IOException {
      Checksum sum = new Checksum();
      TensorBytes.write(sum, tensors, metadata);
      ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
      header.put(MAGIC).putInt(VERSION).putInt(sum.value()).putLong(sum.bytes).flip();
      while (header.hasRemaining()) out.write(header);
      TensorBytes.write(out, tensors, metadata);
    }
  }

  private void writing(Memory memory, Consumer<Content> writer) {
    try (Scope _ = new Scope();
        Memory own = memory.share()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      own.state().tensors().forEach((name, tensor) -> tensors.put(STATE + name, tensor.cpu()));
      tensors.put(PENDING, column(own.pending()));
      tensors.put(IDS, column(own.ids()));
      String position = Long.toString(own.state().position(0));
      writer.accept(new Content(tensors, Map.of("model", fingerprint, "position", position)));
    }
  }

  /** Takes bytes, and keeps their CRC-32C only. */
  private static final class Checksum implements WritableByteChannel {
    private final CRC32C crc = new CRC32C();
    private long bytes;

    int value() {
      return (int) crc.getValue();
    }

    @Override
    public int write(ByteBuffer some) {
      int count = some.remaining();
      crc.update(some);
      bytes += count;
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
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
      ModelState state = model.newState(1);
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
    Checksum sum = new Checksum();
    for (long at = HEADER; at < all.byteSize(); at += STEP) {
      sum.write(all.asSlice(at, Math.min(STEP, all.byteSize() - at)).asByteBuffer());
    }
    if (sum.value() != checksum) {
      throw bad(
          "%s was changed since it was written (CRC-32C %08x)".formatted(where, sum.value()),
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
