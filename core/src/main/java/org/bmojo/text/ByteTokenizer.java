package org.bmojo.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.Json;
import tools.jackson.databind.node.ObjectNode;

/**
 * One token a byte of UTF-8: ids 0 to 255 are the bytes, 256 ends a document. Needs no training,
 * has no unknown words, and makes a model's loss comparable with any compressor's.
 *
 * <p>The file it saves is a true byte-level BPE without merges, so that other libraries read it
 * too. (They give {@code <|endoftext|>} inside a text the id 256; here it is thirteen bytes.)
 */
public final class ByteTokenizer implements Tokenizer {
  /** The id after the last byte. */
  public static final int END_OF_DOCUMENT = 256;

  private static final String END_TOKEN = "<|endoftext|>";
  private static final byte[] JSON = Json.bytes(asByteLevelBpe());

  @Override
  public String name() {
    return "bytes-" + vocabulary();
  }

  @Override
  public int vocabulary() {
    return END_OF_DOCUMENT + 1;
  }

  @Override
  public int endOfDocument() {
    return END_OF_DOCUMENT;
  }

  @Override
  public long fingerprint() {
    return TokenizerFile.fingerprint(JSON);
  }

  @Override
  public int[] encode(String text) {
    return encode(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public int[] encode(byte[] utf8) {
    int[] ids = new int[utf8.length];
    for (int i = 0; i < utf8.length; i++) ids[i] = utf8[i] & 0xff;
    return ids;
  }

  @Override
  public String decode(int... ids) {
    requireInRange(ids);
    byte[] bytes = new byte[ids.length];
    int n = 0;
    for (int id : ids) if (id != END_OF_DOCUMENT) bytes[n++] = (byte) id;
    return new String(bytes, 0, n, StandardCharsets.UTF_8);
  }

  @Override
  public StreamingDecoder streaming() {
    return new Utf8Stream();
  }

  @Override
  public void save(Path folder) {
    AtomicFile.replace(folder.resolve(FILE), JSON);
  }

  static boolean wrote(byte[] json) {
    return Arrays.equals(json, JSON);
  }

  private static ObjectNode asByteLevelBpe() {
    ObjectNode root = Json.mapper().createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    ObjectNode end = root.putArray("added_tokens").addObject();
    end.put("id", END_OF_DOCUMENT).put("content", END_TOKEN).put("single_word", false);
    end.put("lstrip", false).put("rstrip", false).put("normalized", false).put("special", true);
    root.putNull("normalizer");
    byteLevel(root.putObject("pre_tokenizer"));
    root.putNull("post_processor");
    byteLevel(root.putObject("decoder"));
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE").putNull("dropout").putNull("unk_token");
    model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    model.put("fuse_unk", false).put("byte_fallback", false);
    ObjectNode vocabulary = model.putObject("vocab");
    int invisible = 0;
    for (int b = 0; b < 256; b++) {
      // GPT-2's alphabet: a visible byte is its Latin-1 character, the others follow U+0100.
      boolean visible = (b > 32 && b < 127) || (b > 160 && b != 173);
      vocabulary.put(Character.toString(visible ? b : 256 + invisible++), b);
    }
    vocabulary.put(END_TOKEN, END_OF_DOCUMENT);
    model.putArray("merges");
    return root;
  }

  private static void byteLevel(ObjectNode node) {
    node.put("type", "ByteLevel").put("add_prefix_space", false);
    node.put("trim_offsets", true).put("use_regex", false);
  }

  /** Holds back the bytes of a character until its last. */
  private final class Utf8Stream implements StreamingDecoder {
    private final CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private final ByteBuffer bytes = ByteBuffer.allocate(8);
    private final CharBuffer text = CharBuffer.allocate(16);

    @Override
    public String accept(int id) {
      requireInRange(id);
      if (id == END_OF_DOCUMENT) return "";
      bytes.put((byte) id).flip();
      decoder.decode(bytes, text, false);
      bytes.compact();
      return taken();
    }

    @Override
    public String finish() {
      decoder.decode(bytes.flip(), text, true);
      decoder.flush(text);
      decoder.reset();
      bytes.clear();
      return taken();
    }

    private String taken() {
      String result = text.flip().toString();
      text.clear();
      return result;
    }
  }
}
