package org.bmojo.eval;

/**
 * How well a model predicts texts, summed over documents.
 *
 * @param documents scored
 * @param tokens predicted
 * @param bytes of UTF-8 that they stand for
 * @param nats the negative log-likelihood of all
 */
public record TextScore(long documents, long tokens, long bytes, double nats) {
  /** Nothing scored. */
  public static final TextScore NONE = new TextScore(0, 0, 0, 0);

  /** What a compressor built on the model would need for a byte; comparable across tokenizers. */
  public double bitsPerByte() {
    return nats / (bytes * Math.log(2));
  }

  /** e^(nats per token): comparable under one tokenizer only. */
  public double perplexity() {
    return Math.exp(nats / tokens);
  }

  /** Both together: sums of nats over sums of bytes, not a mean of documents' values. */
  public TextScore plus(TextScore other) {
    return new TextScore(
        documents + other.documents, tokens + other.tokens, bytes + other.bytes, nats + other.nats);
  }
}
