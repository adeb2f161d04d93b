package org.bmojo.serve;

import java.util.List;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.serve.Request.StopRule;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;

/** An {@link Engine} with text at both ends. */
public final class TextEngine {
  private final Engine engine;
  private final Tokenizer tokenizer;

  /**
   * Both stay the caller's to close.
   *
   * @throws BadInput if they do not belong together
   */
  public TextEngine(Engine engine, Tokenizer tokenizer) {
    tokenizer.requireFits(engine.model().config().vocabulary());
    this.engine = engine;
    this.tokenizer = tokenizer;
  }

  /** The engine. */
  public Engine engine() {
    return engine;
  }

  /** The tokenizer. */
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** The ids of a prompt: where it is empty and nothing goes before, a document begins. */
  public int[] prompt(String text, @Nullable Memory from) {
    if (text.isEmpty() && from == null) return new int[] {tokenizer.endOfDocument()};
    return tokenizer.encode(text);
  }

  /** The ids that end an answer; none where the tokenizer names none. */
  public Set<Integer> ends() {
    try {
      return Set.of(tokenizer.endOfDocument());
    } catch (BadInput unknown) {
      return Set.of();
    }
  }

  /**
   * Asks the engine; the answer ends before the first of {@code stops}.
   *
   * @return to be closed by the caller
   * @throws BadInput if the request is not possible
   * @throws Overloaded if too many wait
   */
  public TextGeneration submit(Request request, List<String> stops) {
    StopText seen = new StopText(stops);
    Request stopping = stops.isEmpty() ? request : request.until(rule(stops));
    return new TextGeneration(engine.submit(stopping), tokenizer, seen);
  }

  /** Decodes a second time, on the engine's thread, so that not one token too many is chosen. */
  private StopRule rule(List<String> stops) {
    StreamingDecoder decoder = tokenizer.streaming();
    StopText text = new StopText(stops);
    return id -> {
      text.accept(TextGeneration.piece(tokenizer, decoder, id));
      return text.isStopped();
    };
  }
}
