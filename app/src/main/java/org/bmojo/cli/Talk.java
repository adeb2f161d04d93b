package org.bmojo.cli;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.generate.Decoding;
import org.bmojo.serve.Engine;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.MemoryFile;
import org.bmojo.serve.Request;
import org.bmojo.serve.TextEngine;
import org.bmojo.serve.TextGeneration;
import org.bmojo.serve.TextGeneration.Piece;
import org.jspecify.annotations.Nullable;

/** A model that one person talks to: an engine with one slot, and memories from files. */
final class Talk implements AutoCloseable {
  /** Long documents are read in long chunks: nobody else waits. */
  private static final EngineSettings ALONE =
      new EngineSettings(1, 0, 1024, Integer.MAX_VALUE, Duration.ofDays(365));

  private final Engine engine;
  private final TextEngine text;
  private final MemoryFile files;
  private final @Nullable Library library;

  /** The checkpoint stays the caller's to close. */
  Talk(Checkpoint checkpoint) {
    this(checkpoint, null);
  }

  /** The same with a library that this closes. */
  Talk(Checkpoint checkpoint, @Nullable Library library) {
    this.library = library;
    files = new MemoryFile(checkpoint.model());
    engine = new Engine(checkpoint.model(), ALONE);
    text = new TextEngine(engine, checkpoint.tokenizer());
  }

  MemoryFile files() {
    return files;
  }

  Request request(@Nullable Memory from, int[] prompt, int tokens, Decoding decoding) {
    return new Request(from, prompt, tokens, decoding, -1, text.ends(), null, false);
  }

  /**
   * Hands the answer's pieces to {@code reader}.
   *
   * @return what is remembered then, the caller's to close, if the request asks for it
   */
  @Nullable Memory answer(Request request, List<String> stops, Consumer<String> reader) {
    try (TextGeneration generation = text.submit(request, stops)) {
      for (Piece p = generation.next(); p != null; p = generation.next()) {
        if (!p.text().isEmpty()) reader.accept(p.text());
      }
      Ending end = generation.await();
      if (end.failure() != null) throw end.failure();
      Memory memory = end.memory();
      return memory == null ? null : memory.share();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for the engine", e);
    }
  }

  @Nullable Library library() {
    return library;
  }

  @Override
  public void close() {
    engine.close();
    if (library != null) library.close();
  }
}
