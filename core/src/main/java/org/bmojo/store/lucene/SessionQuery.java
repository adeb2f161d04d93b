package org.bmojo.store.lucene;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.lucene.index.IndexReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.PostingsEnum;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.ConstantScoreScorer;
import org.apache.lucene.search.ConstantScoreWeight;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.Scorer;
import org.apache.lucene.search.ScorerSupplier;
import org.apache.lucene.search.Weight;
import org.apache.lucene.util.BitSetIterator;
import org.apache.lucene.util.FixedBitSet;
import org.jspecify.annotations.Nullable;

/**
 * The entries of one session. A graph's search wants them as bits, and it would be a pity to count
 * a million documents' postings for every question: those of sessions that fill much of a segment
 * are remembered, as long as the segment lives.
 */
final class SessionQuery extends Query {
  /** Bits are worth keeping from this share of a segment on: one in so many. */
  private static final int SHARE = 8;

  /** What is remembered, by segment and session. */
  static final class Cache {
    private final Map<IndexReader.CacheKey, Map<String, FixedBitSet>> segments =
        new ConcurrentHashMap<>();

    @Nullable FixedBitSet get(LeafReaderContext segment, String session) {
      IndexReader.CacheHelper helper = segment.reader().getCoreCacheHelper();
      Map<String, FixedBitSet> known = helper == null ? null : segments.get(helper.getKey());
      return known == null ? null : known.get(session);
    }

    void put(LeafReaderContext segment, String session, FixedBitSet bits) {
      IndexReader.CacheHelper helper = segment.reader().getCoreCacheHelper();
      if (helper == null) return;
      segments
          .computeIfAbsent(
              helper.getKey(),
              key -> {
                helper.addClosedListener(segments::remove);
                return new ConcurrentHashMap<>();
              })
          .put(session, bits);
    }
  }

  private final String session;
  private final Cache cache;

  SessionQuery(String session, Cache cache) {
    this.session = session;
    this.cache = cache;
  }

  @Override
  public Weight createWeight(IndexSearcher searcher, ScoreMode mode, float boost) {
    return new ConstantScoreWeight(this, boost) {
      @Override
      public @Nullable ScorerSupplier scorerSupplier(LeafReaderContext segment) throws IOException {
        DocIdSetIterator documents = documents(segment);
        if (documents == null) return null;
        Scorer scorer = new ConstantScoreScorer(score(), mode, documents);
        return new DefaultScorerSupplier(scorer);
      }

      @Override
      public boolean isCacheable(LeafReaderContext segment) {
        return false; // Not by Lucene as well.
      }
    };
  }

  private @Nullable DocIdSetIterator documents(LeafReaderContext segment) throws IOException {
    FixedBitSet known = cache.get(segment, session);
    if (known == null) {
      Term term = new Term(EntryFields.SESSION, session);
      PostingsEnum postings = segment.reader().postings(term, PostingsEnum.NONE);
      if (postings == null) return null;
      if (postings.cost() < segment.reader().maxDoc() / SHARE) return postings;
      known = new FixedBitSet(segment.reader().maxDoc());
      known.or(postings);
      cache.put(segment, session, known);
    }
    return new BitSetIterator(known, known.approximateCardinality());
  }

  @Override
  public String toString(String field) {
    return "session " + session;
  }

  @Override
  public void visit(QueryVisitor visitor) {
    visitor.visitLeaf(this);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SessionQuery that && session.equals(that.session);
  }

  @Override
  public int hashCode() {
    return session.hashCode();
  }
}
