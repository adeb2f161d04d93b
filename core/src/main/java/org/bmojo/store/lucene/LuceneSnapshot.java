package org.bmojo.store.lucene;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import org.apache.lucene.document.NumericDocValuesField;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.search.BooleanClause.Occur;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.SearcherManager;
import org.apache.lucene.util.VectorUtil;
import org.bmojo.store.Entry;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.Snapshot;
import org.bmojo.store.StoreIdentity;
import org.jspecify.annotations.Nullable;

/** One commit of a {@link LuceneStore}, searched by several threads, a query each. */
final class LuceneSnapshot implements Snapshot {
  private static final Comparator<Hit> BEST_FIRST =
      Comparator.comparingDouble(Hit::score)
          .thenComparingLong(hit -> hit.entry().position())
          .reversed();

  private final StoreIdentity identity;
  private final SearcherManager searchers;
  private final IndexSearcher searcher;
  private final ExecutorService threads;
  private final int width;
  private final Precision precision;
  private final SessionQuery.Cache sessions;
  private boolean closed;

  LuceneSnapshot(
      StoreIdentity identity,
      SearcherManager searchers,
      ExecutorService threads,
      int width,
      Precision precision,
      SessionQuery.Cache sessions)
      throws IOException {
    this.identity = identity;
    this.searchers = searchers;
    this.threads = threads;
    this.width = width;
    this.precision = precision;
    this.sessions = sessions;
    searcher = searchers.acquire();
  }

  @Override
  public long size() {
    return searcher.getIndexReader().numDocs();
  }

  IndexSearcher searcher() {
    return searcher;
  }

  @Override
  public List<List<Hit>> search(int layer, int head, float[][] queries, int best, Filter filter) {
    identity.checkSearch(layer, head, queries, best);
    Query eligible = query(filter);
    List<Callable<List<Hit>>> searches = new ArrayList<>();
    for (float[] query : queries) {
      searches.add(() -> search(layer, head, query, best, eligible));
    }
    try {
      if (searches.size() == 1) return List.of(searches.getFirst().call());
      List<List<Hit>> answers = new ArrayList<>();
      for (Future<List<Hit>> answer : threads.invokeAll(searches)) answers.add(answer.get());
      return answers;
    } catch (ExecutionException e) {
      throw new IllegalStateException("a search failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while searching", e);
    } catch (Exception e) {
      throw new IllegalStateException("a search failed", e);
    }
  }

  private List<Hit> search(int layer, int head, float[] query, int best, @Nullable Query eligible)
      throws IOException {
    int candidates = Math.max(best, width);
    var knn = new KnnFloatVectorQuery(EntryFields.keys(layer, head), query, candidates, eligible);
    ScoreDoc[] found = searcher.search(knn, candidates).scoreDocs;
    List<LeafReaderContext> segments = searcher.getIndexReader().leaves();
    List<Hit> hits = new ArrayList<>();
    for (int i = 0; i < found.length; i++) {
      // What ties with the last one that is wanted is read too: position decides between them.
      if (i >= best && found[i].score < found[best - 1].score) break;
      LeafReaderContext segment = segments.get(ReaderUtil.subIndex(found[i].doc, segments));
      int doc = found[i].doc - segment.docBase;
      Entry entry = EntryFields.entry(segment.reader(), doc, layer, head, precision);
      hits.add(new Hit(entry, VectorUtil.dotProduct(entry.key(), query)));
    }
    hits.sort(BEST_FIRST);
    return hits.size() <= best ? hits : List.copyOf(hits.subList(0, best));
  }

  private @Nullable Query query(Filter filter) {
    String session = filter.session();
    Query ofSession = session == null ? null : new SessionQuery(session, sessions);
    if (filter.everywhere()) return ofSession;
    BooleanQuery.Builder all = new BooleanQuery.Builder();
    if (ofSession != null) all.add(ofSession, Occur.FILTER);
    long last = filter.toPosition() - 1;
    all.add(
        NumericDocValuesField.newSlowRangeQuery(EntryFields.POSITION, filter.fromPosition(), last),
        Occur.FILTER);
    return all.build();
  }

  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    try {
      searchers.release(searcher);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
