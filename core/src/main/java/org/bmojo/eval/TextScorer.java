package org.bmojo.eval;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.bmojo.data.TokenDocument;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.text.Tokenizer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Scores documents, each from its first token on and with nothing but itself in memory: the end of
 * a document stands in front, the text's own tokens are predicted, the final end is not.
 *
 * <p>Documents are read side by side in windows with the state carried from one to the next, so
 * that every token sees all that came before it, however long the document is.
 */
public final class TextScorer {
  private static final int BATCH = 8; // B
  private static final int WINDOW = 512; // T

  /** Documents to choose neighbours of like length from. */
  private static final int POOL = 8 * BATCH;

  private final LanguageModel model;
  private final Tokenizer tokenizer;

  /** Is told of tokens as they are scored. */
  public interface Listener {
    /** {@code tokens} more are scored. */
    void scored(long tokens);
  }

  /** Scores with {@code model}, which stays the caller's to close. */
  public TextScorer(LanguageModel model, Tokenizer tokenizer) {
    tokenizer.requireFits(model.config().vocabulary());
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /**
   * The documents of {@code shards} in their order.
   *
   * @param tokens stop after so many: the last document is cut
   */
  public TextScore score(TokenShards shards, long tokens) {
    return score(documents(shards, tokens).iterator(), _ -> {});
  }

  /** One text. */
  public TextScore score(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return score(List.of(document(utf8)).iterator(), _ -> {});
  }

  /** The document that a text in UTF-8 makes. */
  public TokenDocument document(byte[] utf8) {
    int[] ids = tokenizer.encode(utf8);
    int[] closed = Arrays.copyOf(ids, ids.length + 1);
    closed[ids.length] = tokenizer.endOfDocument();
    return new TokenDocument(closed, utf8.length);
  }

  /**
   * All that {@code documents} gives; a few dozen are in memory at a time.
   *
   * @throws BadInput if there is nothing to score
   */
  public TextScore score(Iterator<TokenDocument> documents, Listener listener) {
    TextScore sum = TextScore.NONE;
    List<TokenDocument> pool = new ArrayList<>();
    while (documents.hasNext()) {
      pool.add(documents.next());
      if (pool.size() == POOL || !documents.hasNext()) {
        sum = sum.plus(scorePool(pool, listener));
        pool.clear();
      }
    }
    if (sum.tokens() > 0) return sum;
    throw new BadInput("no tokens to score", "expected some text", "Name another file or folder");
  }

  private TextScore scorePool(List<TokenDocument> pool, Listener listener) {
    pool.sort(Comparator.comparingInt(d -> d.tokens().length));
    TextScore sum = TextScore.NONE;
    for (int from = 0; from < pool.size(); from += BATCH) {
      List<TokenDocument> batch = pool.subList(from, Math.min(pool.size(), from + BATCH));
      long tokens = batch.stream().mapToLong(d -> d.tokens().length - 1).sum();
      long bytes = batch.stream().mapToLong(TokenDocument::textBytes).sum();
      sum = sum.plus(new TextScore(batch.size(), tokens, bytes, nats(batch, listener)));
    }
    return sum;
  }

  /** Documents side by side, shortest first. */
  private double nats(List<TokenDocument> documents, Listener listener) {
    int rows = documents.size();
    int longest = documents.getLast().tokens().length - 1;
    double nats = 0;
    try (ModelState state = model.newState(rows)) {
      for (int from = 0; from < longest; from += WINDOW) {
        int length = Math.min(WINDOW, longest - from);
        long[] ids = new long[rows * length];
        long[] targets = new long[rows * length];
        for (int r = 0; r < rows; r++) fill(documents.get(r), from, length, r, ids, targets);
        try (Scope _ = new Scope()) {
          Batch batch = Batch.of(ids, targets, rows);
          Tensor losses = model.losses(batch, state); // (B, T)
          nats += losses.to(ScalarType.Double).sum().item_double();
          listener.scored(batch.labelled());
        }
      }
    }
    return nats;
  }

  /** Row {@code r} of a window; past a document's end there is nothing to predict. */
  private void fill(
      TokenDocument document, int from, int length, int r, long[] ids, long[] targets) {
    int[] tokens = document.tokens();
    int end = tokens[tokens.length - 1];
    for (int t = 0; t < length; t++) {
      int at = from + t;
      boolean within = at < tokens.length - 1;
      ids[r * length + t] = at > 0 && within ? tokens[at - 1] : end;
      targets[r * length + t] = within ? tokens[at] : LinearCrossEntropy.IGNORED;
    }
  }

  private List<TokenDocument> documents(TokenShards shards, long tokens) {
    List<TokenDocument> documents = new ArrayList<>();
    long left = tokens;
    for (long i = 0; i < shards.documents() && left > 0; i++) {
      TokenDocument document = head(shards.document(i), left);
      left -= document.tokens().length - 1;
      documents.add(document);
    }
    return documents;
  }

  private TokenDocument head(TokenDocument document, long tokens) {
    int[] ids = document.tokens();
    if (ids.length - 1 <= tokens) return document;
    int[] first = Arrays.copyOf(ids, (int) tokens);
    long bytes = tokenizer.decode(first).getBytes(StandardCharsets.UTF_8).length;
    int[] closed = Arrays.copyOf(first, first.length + 1);
    closed[first.length] = ids[ids.length - 1];
    return new TokenDocument(closed, bytes);
  }
}
