package org.bmojo.store.lucene;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.lucene.codecs.Codec;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.apache.lucene.codecs.lucene99.Lucene99HnswVectorsFormat;
import org.apache.lucene.document.NumericDocValuesField;
import org.apache.lucene.index.ConcurrentMergeScheduler;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.index.TieredMergePolicy;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.MatchAllDocsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.Sort;
import org.apache.lucene.search.SortField;
import org.apache.lucene.store.Directory;
import org.bmojo.store.Entry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The writing half of a {@link LuceneStore}: the index writer, and the next entry's number. */
final class Writing implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Writing.class);

  /** Neighbours of a key in the graph, and candidates considered when it is put in. */
  private static final int NEIGHBOURS = 16, CANDIDATES = 100;

  /** Merges that may wait before writers do: graphs can be late, entries cannot. */
  private static final int WAITING_MERGES = 64;

  private static final double BUFFER_MEGABYTES = 32;

  private final IndexWriter writer;
  private long sequence;

  Writing(Directory directory, LuceneConfig config) throws IOException {
    IndexWriterConfig settings = new IndexWriterConfig();
    settings.setCodec(codec(config.graphFrom()));
    settings.setRAMBufferSizeMB(BUFFER_MEGABYTES);
    settings.setMaxBufferedDocs(config.graphFrom());
    settings.setUseCompoundFile(false);
    TieredMergePolicy merges = new TieredMergePolicy();
    merges.setForceMergeDeletesPctAllowed(0); // What is deleted is to be gone, however little.
    merges.setNoCFSRatio(0);
    settings.setMergePolicy(merges);
    ConcurrentMergeScheduler scheduler = new ConcurrentMergeScheduler();
    scheduler.setMaxMergesAndThreads(WAITING_MERGES, 1);
    scheduler.disableAutoIOThrottle();
    settings.setMergeScheduler(scheduler);
    writer = new IndexWriter(directory, settings);
    Iterable<Map.Entry<String, String>> left = writer.getLiveCommitData(); // null in a new index
    if (left == null) return;
    for (var e : left) {
      if (e.getKey().equals(EntryFields.SEQUENCE)) sequence = Long.parseLong(e.getValue());
    }
  }

  private static Codec codec(int graphFrom) {
    // Lucene builds a graph of n keys where n > k log n, the keys that a search for k would visit.
    int k = (int) Math.ceil(graphFrom / Math.max(1, Math.log(graphFrom)));
    KnnVectorsFormat keys = new Lucene99HnswVectorsFormat(NEIGHBOURS, CANDIDATES, 1, null, k);
    return new Lucene104Codec() {
      @Override
      public KnnVectorsFormat getKnnVectorsFormatForField(String field) {
        return keys;
      }
    };
  }

  void append(List<Entry> entries, Precision precision) throws IOException {
    for (Entry entry : entries) {
      writer.addDocument(EntryFields.document(entry, sequence++, precision));
    }
  }

  /** Forces everything to the disk. */
  void commit() throws IOException {
    String next = Long.toString(sequence);
    writer.setLiveCommitData(Map.of(EntryFields.SEQUENCE, next).entrySet());
    writer.commit();
  }

  /** Deletes the {@code count} entries with the lowest innovation, of equals the oldest. */
  void deleteLeastSurprising(IndexSearcher searcher, long count) throws IOException {
    Sort order =
        new Sort(
            new SortField(EntryFields.INNOVATION, SortField.Type.FLOAT),
            new SortField(EntryFields.SEQUENCE, SortField.Type.LONG));
    ScoreDoc[] least =
        searcher.search(MatchAllDocsQuery.INSTANCE, Math.toIntExact(count), order).scoreDocs;
    List<LeafReaderContext> segments = searcher.getIndexReader().leaves();
    long[] sequences = new long[least.length];
    for (int i = 0; i < least.length; i++) {
      LeafReaderContext segment = segments.get(ReaderUtil.subIndex(least[i].doc, segments));
      int doc = least[i].doc - segment.docBase;
      sequences[i] = EntryFields.number(segment.reader(), doc, EntryFields.SEQUENCE);
    }
    writer.deleteDocuments(NumericDocValuesField.newSlowSetQuery(EntryFields.SEQUENCE, sequences));
  }

  /** One graph for each layer and head: a search descends from the top once, not once a segment. */
  void joinGraphs() throws IOException {
    writer.forceMerge(1);
    commit();
  }

  /** Deletes for good: segments that held any of them are written anew, the old files go. */
  void erase(Query doomed) throws IOException {
    writer.deleteDocuments(doomed);
    writer.forceMergeDeletes(true);
    commit();
  }

  /** Lets go of the folder without writing. */
  void abandon() {
    try {
      writer.rollback();
    } catch (IOException e) {
      LOG.warn("the store's writer could not be closed: {}", e.getMessage());
    }
  }

  /** Waits for the graphs that are being built. */
  @Override
  public void close() throws IOException {
    writer.close();
  }
}
