package org.bmojo.store.lucene;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.lucene.document.NumericDocValuesField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.SearcherManager;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.AlreadyClosedException;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.store.LockObtainFailedException;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.store.Entry;
import org.bmojo.store.MemoryStore;
import org.bmojo.store.StoreIdentity;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * On disk, in a folder that one process at a time may write. What is committed is on the disk; what
 * was not is gone after a crash, and the store opens as it was at its last commit.
 */
public final class LuceneStore implements MemoryStore {
  static final String INDEX = "index";

  private static final Logger LOG = LoggerFactory.getLogger(LuceneStore.class);

  private final Path folder;
  private final StoreIdentity identity;
  private final LuceneConfig config;
  private final Precision precision;
  private final Directory directory;
  private final List<String> damaged;
  private final @Nullable Writing writing; // null in a store that can only be read
  private final SearcherManager searchers;
  private final ExecutorService threads;
  private final SessionQuery.Cache sessions = new SessionQuery.Cache();
  private @Nullable BadInput failure; // why nothing more can be written

  /**
   * Opens the store in a folder, or makes one there. A store with damaged segments opens without
   * them, and only to be read: see {@link #damaged}.
   *
   * @param identity of the model that is going to use it
   * @throws BadInput if another model filled it, another process is writing it, the file system
   *     refuses, or the list of segments itself is damaged
   */
  public static LuceneStore open(Path folder, StoreIdentity identity, LuceneConfig config) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileTrouble.writing(folder, e);
    }
    StoreFile file = StoreFile.in(folder, identity, config.precision());
    try {
      Directory directory = FSDirectory.open(folder.resolve(INDEX));
      return new LuceneStore(folder, file, config, directory);
    } catch (IOException e) {
      throw FileTrouble.reading(folder, e);
    }
  }

  /** The same over a directory that the store closes. */
  LuceneStore(Path folder, StoreFile file, LuceneConfig config, Directory directory)
      throws IOException {
    this.folder = folder;
    this.config = config;
    this.directory = directory;
    identity = file.identity();
    precision = file.precision();
    try {
      if (DirectoryReader.indexExists(directory)) {
        SoundSegments segments = SoundSegments.of(directory);
        damaged = segments.damaged();
        writing = damaged.isEmpty() ? new Writing(directory, config) : null;
        searchers =
            new SearcherManager(
                writing == null ? segments.open(directory) : DirectoryReader.open(directory), null);
      } else {
        damaged = List.of();
        writing = new Writing(directory, config);
        writing.commit(); // So that there is something to read.
        searchers = new SearcherManager(DirectoryReader.open(directory), null);
      }
    } catch (LockObtainFailedException e) {
      directory.close();
      throw new BadInput(
          folder + " is being written by another process",
          "expected a store that nobody else has open",
          "Close the other one first",
          e);
    } catch (IOException e) {
      directory.close();
      throw new BadInput(
          folder + ": the list of segments is damaged (" + e.getMessage() + ")",
          "expected a readable index",
          "Bring back a copy of the folder, or choose a new one",
          e);
    }
    if (writing == null) {
      failure =
          new BadInput(
              folder + " is damaged: " + String.join(", ", damaged),
              "expected whole segments, so the others can be read but nothing can be written",
              "Bring back a copy of the folder, or read what is left and start a new one");
      LOG.warn("{}", failure.getMessage());
    }
    threads =
        Executors.newFixedThreadPool(config.threads(), Thread.ofPlatform().daemon().factory());
  }

  @Override
  public StoreIdentity identity() {
    return identity;
  }

  /** The segments that cannot be read, with what is wrong; empty in a store that is whole. */
  public List<String> damaged() {
    return damaged;
  }

  @Override
  public synchronized void append(List<Entry> entries) {
    entries.forEach(identity::check);
    write(w -> w.append(entries, precision));
  }

  @Override
  public synchronized void commit() {
    write(w -> {
      w.commit();
      searchers.maybeRefreshBlocking();
      try (LuceneSnapshot now = snapshot()) {
        if (now.size() <= config.limits().entries()) return;
        w.deleteLeastSurprising(now.searcher(), now.size() - config.limits().entries());
      }
      w.commit();
      searchers.maybeRefreshBlocking();
    });
  }

  @Override
  public LuceneSnapshot snapshot() {
    try {
      return new LuceneSnapshot(identity, searchers, threads, config.width(), precision, sessions);
    } catch (AlreadyClosedException e) {
      throw new IllegalStateException("the store is closed", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public long deleteSession(String session) {
    return delete(new TermQuery(new Term(EntryFields.SESSION, session)));
  }

  @Override
  public long deleteDocument(String document) {
    return delete(new TermQuery(new Term(EntryFields.DOCUMENT, document)));
  }

  @Override
  public long expire(long before) {
    if (before == Long.MIN_VALUE) return 0;
    return delete(
        NumericDocValuesField.newSlowRangeQuery(EntryFields.STORED_AT, Long.MIN_VALUE, before - 1));
  }

  @Override
  public synchronized void compact() {
    commit();
    write(w -> {
      w.joinGraphs();
      searchers.maybeRefreshBlocking();
    });
  }

  private synchronized long delete(Query doomed) {
    commit();
    long[] deleted = {0};
    write(w -> {
      try (LuceneSnapshot now = snapshot()) {
        deleted[0] = now.searcher().count(doomed);
      }
      if (deleted[0] == 0) return;
      w.erase(doomed);
      searchers.maybeRefreshBlocking();
    });
    return deleted[0];
  }

  private interface Work {
    void with(Writing writing) throws IOException;
  }

  /** Once the disk refused, nothing more is written: what is committed stays readable. */
  private void write(Work work) {
    if (failure != null) throw failure.in("nothing more is written");
    if (writing == null) throw new IllegalStateException("a store that can only be read");
    try {
      work.with(writing);
    } catch (AlreadyClosedException | IOException e) {
      Throwable cause = e.getCause();
      IOException reason =
          e instanceof IOException io
              ? io
              : cause instanceof IOException io ? io : new IOException(e.getMessage(), e);
      failure = FileTrouble.writing(folder, reason);
      writing.abandon();
      throw failure;
    }
  }

  /** Commits, unless nothing more can be written, and closes; snapshots are of no use after it. */
  @Override
  public synchronized void close() {
    if (threads.isShutdown()) return;
    threads.shutdown();
    try (directory;
        writing;
        searchers) {
      if (failure == null) commit();
    } catch (IOException e) {
      throw FileTrouble.writing(folder, e);
    }
  }
}
