package org.bmojo.serve;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.ModelState;
import org.bmojo.store.AsyncWriter;
import org.bmojo.store.Entry;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.MemoryStore;
import org.bmojo.store.StoreIdentity;
import org.bmojo.store.StoreLimits;
import org.bmojo.store.TextSpan;
import org.bmojo.store.lucene.LuceneConfig;
import org.bmojo.store.lucene.LuceneStore;
import org.bmojo.tape.Tape;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;

/**
 * What a model has read in all its sessions, on disk: documents, which every session may recall,
 * and what each named session let go, which only it may. Searches run on a thread of their own, as
 * writing does; a step of the model waits for neither.
 *
 * <pre>{@code
 * try (Library library = Library.open(folder, model, StoreLimits.NONE)) {
 *   library.remember("manual.txt", text, tokenizer);
 *   Recollection recollection = library.recollection("monday");
 *   recollection.attach(state);   // and read, and go on
 *   recollection.used();          // which stored tokens came back
 * }
 * }</pre>
 */
public final class Library implements AutoCloseable {
  /** The session of all documents. */
  public static final String DOCUMENTS = "*documents";

  private static final AsyncWriter.Config WRITING = AsyncWriter.Config.STANDARD;

  /** Tokens of a document that are read at once. */
  private static final int CHUNK = 256;

  private final LanguageModel model;
  private final MemoryStore store;
  private final AsyncWriter writer;
  private final Duration patience;

  /** One, since the model needs the other processors; the store shares a question's work out. */
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("recall").factory());

  /**
   * Over a store that this closes.
   *
   * @param patience how long a step waits for an answer; zero: not at all
   */
  public Library(LanguageModel model, MemoryStore store, Duration patience) {
    this.model = model;
    this.store = store;
    this.patience = patience;
    identity(model).check(store.identity(), "the store");
    writer = new AsyncWriter(store, WRITING);
  }

  /**
   * The library in a folder, made if there is none.
   *
   * @throws BadInput if another model filled it, or this one's layers have no storage
   */
  public static Library open(Path folder, LanguageModel model, StoreLimits limits) {
    LuceneConfig config = LuceneConfig.STANDARD.with(limits);
    LuceneStore store = LuceneStore.open(folder, identity(model), config);
    return new Library(model, store, Duration.ZERO);
  }

  /**
   * Whose memory a store of this model holds.
   *
   * @throws BadInput if it has no layer with storage, or layers whose keys differ in size
   */
  public static StoreIdentity identity(LanguageModel model) {
    ModelConfig config = model.config();
    @Nullable AttentionConfig one = null;
    for (BlockConfig block : config.layers()) {
      AttentionConfig attention = block.mixer().attention();
      EideticConfig eidetic = attention == null ? null : attention.eidetic();
      if (attention == null || eidetic == null || eidetic.storage() == null) continue;
      if (one != null
          && (one.headDim() != attention.headDim() || one.kvHeads() != attention.kvHeads())) {
        throw new BadInput(
            "layers with keys of different sizes",
            "expected one size in all layers with storage",
            "Leave storage out of the others");
      }
      one = attention;
    }
    if (one == null) {
      throw new BadInput(
          "a model none of whose layers has storage",
          "expected \"storage\" in a layer's eidetic memory",
          "Train one that has it, or leave the store out");
    }
    return new StoreIdentity(
        one.headDim(), config.layers().size(), one.kvHeads(), Fingerprint.of(model));
  }

  /**
   * A way in for one sequence.
   *
   * @param session under which its entries last; null for a sequence that leaves none behind
   * @throws BadInput for a name that is no session's
   */
  public Recollection recollection(@Nullable String session) {
    return recollection(session, session != null);
  }

  /** The same for one that sees what the session let go, and leaves nothing behind itself. */
  public Recollection visit(@Nullable String session) {
    return recollection(session, false);
  }

  private Recollection recollection(@Nullable String session, boolean lasts) {
    if (session != null && (session.isBlank() || session.equals(DOCUMENTS))) {
      throw new BadInput(
          "a session called \"" + session + "\"",
          "expected another name, since documents are kept under that one",
          "Choose another");
    }
    return new Recollection(this, session, lasts, true, _ -> null);
  }

  /**
   * Reads a document from beginning to end and keeps all of its tokens that the model's threshold
   * lets pass; in place of an earlier document of that name. Returns when it is on the disk.
   *
   * @param document its name, by which it is forgotten again
   * @return tokens read
   * @throws BadInput if the disk refuses
   */
  public long remember(String document, String text, Tokenizer tokenizer) {
    forget(document);
    int[] ids = tokenizer.encode(text);
    long[] ends = ends(ids, tokenizer);
    LongFunction<@Nullable TextSpan> spans =
        p -> new TextSpan(document, p == 0 ? 0 : ends[(int) p - 1], ends[(int) p]);
    Recollection reading = new Recollection(this, DOCUMENTS, true, false, spans);
    try (ModelState state = model.newState(1)) {
      reading.attach(state);
      for (int from = 0; from < ids.length; from += CHUNK) {
        int[] part = Arrays.copyOfRange(ids, from, Math.min(ids.length, from + CHUNK));
        try (Scope _ = new Scope();
            Tape tape = Tape.off()) {
          model.hidden(tape, Ids.tensor(part), state);
        }
        // Nothing is dropped: whoever remembers has time.
        if (writer.report().waiting() > WRITING.capacity() / 2) flush();
      }
      state.handOverRest();
    }
    flush();
    return ids.length;
  }

  /** The character after each token. */
  private static long[] ends(int[] ids, Tokenizer tokenizer) {
    StreamingDecoder decoder = tokenizer.streaming();
    long[] ends = new long[ids.length];
    long end = 0;
    for (int i = 0; i < ids.length; i++) {
      end += decoder.accept(ids[i]).length();
      ends[i] = end;
    }
    return ends;
  }

  /** Deletes a document for good; returns how many entries that were. */
  public long forget(String document) {
    flush();
    return store.deleteDocument(document);
  }

  /** Deletes all that a session let go; returns how many entries that were. */
  public long forgetSession(String session) {
    flush();
    return store.deleteSession(session);
  }

  /** Deletes all that was stored before {@code moment}; returns how many entries that were. */
  public long expire(Instant moment) {
    flush();
    return store.expire(moment.toEpochMilli());
  }

  /** Arranges what is stored for the quickest searches, at leisure. */
  public void compact() {
    flush();
    store.compact();
  }

  /** Entries that are on the disk. */
  public long size() {
    return store.size();
  }

  /** What became of the entries that were offered. */
  public AsyncWriter.Report report() {
    return writer.report();
  }

  /** Waits until everything offered is on the disk; throws what has kept it from there. */
  public void flush() {
    try {
      writer.flush();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while writing", e);
    }
    RuntimeException failure = writer.report().failure();
    if (failure != null) throw failure;
  }

  Duration patience() {
    return patience;
  }

  void offer(Entry entry) {
    writer.offer(entry);
  }

  List<Entry> waiting(String session, int layer, int head) {
    return writer.waiting(session, layer, head);
  }

  /** What the store finds for any of the queries. */
  List<Hit> search(int layer, int head, float[][] queries, int best, Filter filter) {
    List<Hit> all = new ArrayList<>();
    store.search(layer, head, queries, best, filter).forEach(all::addAll);
    return all;
  }

  <T> CompletableFuture<T> later(Supplier<T> answer) {
    return CompletableFuture.supplyAsync(answer, thread);
  }

  /** Waits for searches and writes to end, and closes the store. */
  @Override
  public void close() {
    thread.shutdown();
    try {
      if (!thread.awaitTermination(1, TimeUnit.MINUTES)) thread.shutdownNow();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    writer.close();
    store.close();
  }
}
