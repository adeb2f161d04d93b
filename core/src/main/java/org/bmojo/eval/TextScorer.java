package org.bmojo.eval;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.bmojo.data.Document;
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
 * a document stands in front, the text's own tokens are predicted, the end that follows is not.
 *
 * <pre>{@code
 * TextScorer scorer = new TextScorer(model, tokenizer);
 * TextSource.of("book.txt").forEach(scorer::add);
 * scorer.score().bitsPerByte();
 * }</pre>
 *
 * <p>Documents are read side by side in windows with the state carried from one to the next, so
 * that every token sees all that came before it, however long the document is. A few dozen
 * documents are in memory at a time.
 */
public final class TextScorer {
  /** No limit. */
  public static final long ALL = Long.MAX_VALUE;

  private static final int BATCH = 8; // B
  private static final int WINDOW = 512; // T

  /** Documents to choose neighbours of like length from. */
  private static final int POOL = 8 * BATCH;

  private final LanguageModel model;
  private final Tokenizer tokenizer;
  private final List<TokenDocument> pool = new ArrayList<>();
  private long left;
  private TextScore sum = TextScore.NONE;

  /** Scores whole documents with {@code model}, which stays the caller's to close. */
  public TextScorer(LanguageModel model, Tokenizer tokenizer) {
    this(model, tokenizer, ALL);
  }

  /**
   * Scores with {@code model}, which stays the caller's to close.
   *
   * @param tokens at most: the document that reaches this is cut, later ones are passed over
   */
  public TextScorer(LanguageModel model, Tokenizer tokenizer, long tokens) {
    tokenizer.requireFits(model.config().vocabulary());
    this.model = model;
    this.tokenizer = tokenizer;
    this.left = tokens;
  }

  /** Whether the limit is reached and {@link #add} would do nothing. */
  public boolean full() {
    return left <= 0;
  }

  /** Takes another text. */
  public void add(Document document) {
    if (full()) return;
    int[] ids = tokenizer.encode(document.utf8());
    int[] closed = Arrays.copyOf(ids, ids.length + 1);
    closed[ids.length] = tokenizer.endOfDocument();
    add(new TokenDocument(closed, document.utf8().length));
  }

  /** Takes another text that is tokens already. */
  public void add(TokenDocument document) {
    if (full()) return;
    TokenDocument first = head(document, left);
    left -= first.tokens().length - 1;
    pool.add(first);
    if (pool.size() == POOL) scorePool();
  }

  /** Takes the documents of {@code shards} in their order. */
  public void add(TokenShards shards) {
    for (long i = 0; i < shards.documents() && !full(); i++) add(shards.document(i));
  }

  /**
   * The score of all documents so far.
   *
   * @throws BadInput if there is nothing to score
   */
  public TextScore score() {
    scorePool();
    if (sum.tokens() > 0) return sum;
    throw new BadInput("no tokens to score", "expected some text", "Name another file or folder");
  }

  /** Tokens scored so far; fewer than were added. */
  public long scored() {
    return sum.tokens();
  }

  private void scorePool() {
    pool.sort(Comparator.comparingInt(d -> d.tokens().length));
    for (int from = 0; from < pool.size(); from += BATCH) {
      List<TokenDocument> batch = pool.subList(from, Math.min(pool.size(), from + BATCH));
      long tokens = batch.stream().mapToLong(d -> d.tokens().length - 1).sum();
      long bytes = batch.stream().mapToLong(TokenDocument::textBytes).sum();
      sum = sum.plus(new TextScore(batch.size(), tokens, bytes, nats(batch)));
    }
    pool.clear();
  }

  /** Documents side by side, shortest first. */
  private double nats(List<TokenDocument> documents) {
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
          Tensor losses = model.losses(Batch.of(ids, targets, rows), state); // (B, T)
          nats += losses.to(ScalarType.Double).sum().item_double();
        }
      }
    }
    return nats;
  }

  /** Row {@code r} of a window; past a document's end there is nothing to predict. */
  private static void fill(
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
