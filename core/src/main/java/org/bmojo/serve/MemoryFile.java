package org.bmojo.serve;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
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
    byte[] bytes = toBytes(memory);
    AtomicFile.replace(file, bytes);
  }

  /**
   * Reads a memory.
   *
   * @return to be closed by the caller
   * @throws BadInput if it is none, is damaged, of a newer format, or of another model
   */
  public Memory load(Path file) {
    try {
      return fromBytes(Files.readAllBytes(file), file.toString());
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** The file's content. */
  public byte[] toBytes(Memory memory) {
    try (Scope _ = new Scope();
        ModelState state = memory.copyState()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      state.tensors().forEach((name, tensor) -> tensors.put(STATE + name, tensor.cpu()));
      tensors.put(PENDING, column(memory.pending()));
      tensors.put(IDS, column(memory.ids()));
      Map<String, String> metadata =
          Map.of("model", fingerprint, "position", Long.toString(state.position(0)));
      byte[] body = TensorBytes.write(tensors, metadata);
      return ByteBuffer.allocate(HEADER + body.length)
          .order(ByteOrder.LITTLE_ENDIAN)
          .put(MAGIC)
          .putInt(VERSION)
          .putInt(checksum(ByteBuffer.wrap(body)))
          .putLong(body.length)
          .put(body)
          .array();
    }
  }

  private static Tensor column(int[] ids) {
    return Ids.tensor(ids).flatten().to(ScalarType.Int);
  }

  private static int checksum(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  /**
   * The memory in a file's content.
   *
   * @param where names the source in messages
   */
  public Memory fromBytes(byte[] bytes, String where) {
    verify(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN), where);
    try (Scope _ = new Scope()) {
      MemorySegment body = MemorySegment.ofArray(bytes).asSlice(HEADER);
      TensorBytes.Content content = TensorBytes.read(body, where);
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

  private static void verify(ByteBuffer bytes, String where) {
    byte[] magic = new byte[MAGIC.length];
    if (bytes.remaining() >= MAGIC.length) bytes.get(magic);
    if (!Arrays.equals(magic, MAGIC)) {
      throw bad(where + " is no memory", "expected a file that begins with BMOJOMEM");
    }
    if (bytes.limit() < HEADER) {
      throw bad(where + " has " + bytes.limit() + " bytes", "expected at least " + HEADER);
    }
    int version = bytes.getInt();
    if (version != VERSION) {
      throw new BadInput(
          where + " has format version " + Integer.toUnsignedString(version),
          "expected " + VERSION,
          "Use the version of this program that wrote it, or read the document again");
    }
    int checksum = bytes.getInt();
    long length = bytes.getLong();
    if (length != bytes.remaining()) {
      throw bad(
          where + " has " + bytes.remaining() + " bytes after its header",
          "expected " + length + ", so it was cut off or added to");
    }
    int found = checksum(bytes);
    if (found != checksum) {
      throw bad(
          "%s was changed since it was written (CRC-32C %08x)".formatted(where, found),
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
