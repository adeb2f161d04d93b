package org.bmojo.text;

/**
 * Text from ids that arrive one by one. A character may take several tokens, so some calls return
 * nothing; all that was returned, joined, is what {@link Tokenizer#decode} makes of all ids.
 */
public interface StreamingDecoder {
  /** The text that {@code id} completes; often one word, sometimes empty. */
  String accept(int id);

  /** What is left, incomplete characters as U+FFFD; the decoder begins anew. */
  String finish();
}
