package org.bmojo.serve;

import java.time.Duration;
import java.util.List;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Token;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;

/** An answer as text, piece by piece. For one thread only. */
public final class TextGeneration implements AutoCloseable {
  private final Generation generation;
  private final Tokenizer tokenizer;
  private final StreamingDecoder decoder;
  private final StopText text;
  private boolean finished;

  TextGeneration(Generation generation, Tokenizer tokenizer, StopText text) {
    this.generation = generation;
    this.tokenizer = tokenizer;
    this.text = text;
    decoder = tokenizer.streaming();
  }

  /**
   * What a token brought.
   *
   * @param text that can be shown now; empty while a character or a stop string may be incomplete
   * @param tokens one, or none in what is left at the end
   */
  public record Piece(String text, List<Token> tokens) {}

  /** The text of one id as far as it is known; ids that pad the vocabulary have none. */
  static String piece(Tokenizer tokenizer, StreamingDecoder decoder, int id) {
    return id < tokenizer.vocabulary() ? decoder.accept(id) : "";
  }

  /** Waits for the next piece; null once the answer has ended. */
  public @Nullable Piece next() throws InterruptedException {
    if (finished) return null;
    Token token = generation.next();
    if (token != null) {
      return new Piece(text.accept(piece(tokenizer, decoder, token.id())), List.of(token));
    }
    finished = true;
    String rest = text.accept(decoder.finish()) + text.finish();
    return rest.isEmpty() ? null : new Piece(rest, List.of());
  }

  /** Waits until {@link #next} need not wait, but not for long; returns whether that is so. */
  public boolean arrives(Duration within) throws InterruptedException {
    return finished || generation.arrives(within);
  }

  /** How many tokens wait to be read. */
  public int unread() {
    return generation.unread();
  }

  /** Reads what is left; then how it ended. */
  public Ending await() throws InterruptedException {
    return generation.await();
  }

  /** The whole text that is left. */
  public String readAll() throws InterruptedException {
    StringBuilder all = new StringBuilder();
    for (Piece piece = next(); piece != null; piece = next()) all.append(piece.text);
    return all.toString();
  }

  /** Wants no more. */
  public void cancel() {
    generation.cancel();
  }

  @Override
  public void close() {
    generation.close();
  }
}
