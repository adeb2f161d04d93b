package org.bmojo.serve;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongFunction;
import org.bmojo.mixer.Storage;
import org.bmojo.model.ModelState;
import org.bmojo.store.Entry;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.Source;
import org.bmojo.store.TextSpan;
import org.jspecify.annotations.Nullable;

/**
 * One sequence's way into a {@link Library}: what it lets go of, what it is told of others, and
 * which of that its model made use of. It sees its own entries and those of remembered documents,
 * never another session's.
 */
public final class Recollection {
  private final Library library;
  private final @Nullable String session;
  private final String name;
  private final boolean lasts;
  private final boolean asks;
  private final LongFunction<@Nullable TextSpan> spans;
  private final Map<Place, List<Entry>> unnamed = new ConcurrentHashMap<>();
  private final Map<Origin, Integer> used = new HashMap<>();

  private record Place(int layer, int head) {}

  private record Origin(@Nullable TextSpan span, long position) {}

  /**
   * A token that came back.
   *
   * @param span of the document it was read in; null for what the sequence itself let go
   * @param position of the token, in the document or the sequence
   * @param times how often a layer's head was given it
   */
  public record Used(@Nullable TextSpan span, long position, int times) {}

  /**
   * @param session that this is part of; null for none
   * @param lasts whether what is let go outlasts the sequence, in the store; otherwise it is held
   *     here
   * @param asks whether anything is to come back
   * @param spans where in a document the token of a position stands
   */
  Recollection(
      Library library,
      @Nullable String session,
      boolean lasts,
      boolean asks,
      LongFunction<@Nullable TextSpan> spans) {
    this.library = library;
    this.session = session;
    this.lasts = lasts;
    this.asks = asks;
    this.spans = spans;
    name = session == null ? "" : session;
  }

  /** Lets a state of one sequence go on here. */
  public void attach(ModelState state) {
    state.attach(OfLayer::new);
  }

  /** What came back so far, the most used first. */
  public List<Used> used() {
    synchronized (used) {
      return used.entrySet().stream()
          .map(e -> new Used(e.getKey().span, e.getKey().position, e.getValue()))
          .sorted(Comparator.comparingInt(Used::times).reversed().thenComparingLong(Used::position))
          .toList();
    }
  }

  private final class OfLayer implements Storage {
    private final int layer;

    OfLayer(int layer) {
      this.layer = layer;
    }

    @Override
    public String session() {
      return name;
    }

    @Override
    public void keep(long position, float score, float[][] keys, float[][] values) {
      Source source = new Source(name, System.currentTimeMillis(), spans.apply(position));
      for (int g = 0; g < keys.length; g++) {
        Entry entry = new Entry(layer, g, keys[g], values[g], position, score, source);
        if (lasts) {
          library.offer(entry);
        } else {
          List<Entry> mine = unnamed.computeIfAbsent(new Place(layer, g), _ -> new ArrayList<>());
          synchronized (mine) {
            mine.add(entry);
          }
        }
      }
    }

    @Override
    public CompletableFuture<List<List<Hit>>> ask(float[][][] queries, int best, long before) {
      if (asks) return library.later(() -> answers(queries, best, before));
      List<List<Hit>> nothing = new ArrayList<>();
      for (int g = 0; g < queries.length; g++) nothing.add(List.of());
      return CompletableFuture.completedFuture(nothing);
    }

    private List<List<Hit>> answers(float[][][] queries, int best, long before) {
      List<List<Hit>> answers = new ArrayList<>();
      for (int g = 0; g < queries.length; g++) {
        List<Hit> hits = new ArrayList<>();
        for (Entry entry : fresh(g)) {
          if (entry.position() < before) hits.add(new Hit(entry, best(queries[g], entry.key())));
        }
        if (session != null) {
          Filter own = Filter.ofSession(session).within(0, before);
          hits.addAll(library.search(layer, g, queries[g], best, own));
        }
        Filter documents = Filter.ofSession(Library.DOCUMENTS);
        hits.addAll(library.search(layer, g, queries[g], best, documents));
        answers.add(distinct(hits, best));
      }
      return answers;
    }

    private List<Entry> fresh(int head) {
      List<Entry> fresh = new ArrayList<>();
      if (session != null) fresh.addAll(library.waiting(session, layer, head));
      List<Entry> mine = unnamed.get(new Place(layer, head));
      if (mine == null) return fresh;
      synchronized (mine) {
        fresh.addAll(mine);
      }
      return fresh;
    }

    /** Best first, each entry once: several queries may have found it, or two searches. */
    private static List<Hit> distinct(List<Hit> hits, int best) {
      record Token(String session, @Nullable TextSpan span, long position) {}
      hits.sort(Comparator.comparingDouble(Hit::score).reversed());
      Set<Token> seen = new HashSet<>();
      List<Hit> chosen = new ArrayList<>();
      for (Hit hit : hits) {
        Source source = hit.entry().source();
        if (!seen.add(new Token(source.session(), source.span(), hit.entry().position()))) continue;
        chosen.add(hit);
        if (chosen.size() == best) break;
      }
      return chosen;
    }

    private static float best(float[][] queries, float[] key) {
      float most = Float.NEGATIVE_INFINITY;
      for (float[] query : queries) {
        float sum = 0;
        for (int i = 0; i < key.length; i++) sum += query[i] * key[i];
        most = Math.max(most, sum);
      }
      return most;
    }

    @Override
    public Duration patience() {
      return library.patience();
    }

    @Override
    public void using(List<List<Hit>> hits) {
      synchronized (used) {
        for (List<Hit> head : hits) {
          for (Hit hit : head) {
            Entry entry = hit.entry();
            used.merge(new Origin(entry.source().span(), entry.position()), 1, Integer::sum);
          }
        }
      }
    }
  }
}
