package org.bmojo.text;

import java.util.Arrays;

/**
 * Streams any tokenizer's text by decoding the last few ids again and returning what is new.
 *
 * <p>Some ids must be decoded after those before them: a word's leading space is dropped at the
 * start of a text only. So the ids of the last piece returned are kept as context. Text that ends
 * in U+FFFD is taken for an incomplete character and held back, but not for more than {@value
 * #LONGEST} ids, for no character has more bytes and the model may truly have written nonsense.
 */
final class WindowedDecoder implements StreamingDecoder {
  private static final int LONGEST = 8;

  private final Tokenizer tokenizer;
  private int[] ids = new int[32];
  private int size;

  /** Ids before this have been returned; they are context only. */
  private int returned;

  WindowedDecoder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  @Override
  public String accept(int id) {
    tokenizer.requireInRange(id);
    if (size == ids.length) ids = Arrays.copyOf(ids, 2 * size);
    ids[size++] = id;
    String text = tokenizer.decode(Arrays.copyOf(ids, size));
    if (text.endsWith("\uFFFD") && size - returned < LONGEST) return "";
    return advance(text);
  }

  @Override
  public String finish() {
    String rest = size == returned ? "" : advance(tokenizer.decode(Arrays.copyOf(ids, size)));
    size = 0;
    returned = 0;
    return rest;
  }

  private String advance(String text) {
    String context = tokenizer.decode(Arrays.copyOf(ids, returned));
    String fresh =
        text.startsWith(context)
            ? text.substring(context.length())
            : tokenizer.decode(Arrays.copyOfRange(ids, returned, size));
    if (fresh.isEmpty()) {
      size = returned; // a special token: no text, and no context for what follows
      return "";
    }
    System.arraycopy(ids, returned, ids, 0, size - returned);
    size -= returned;
    returned = size;
    return fresh;
  }
}
