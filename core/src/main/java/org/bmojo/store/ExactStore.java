package org.bmojo.store;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.Predicate;

/**
 * In memory, comparing every key: the truth that other stores approximate, and enough for some ten
 * thousand entries. Gone when the process ends.
 */
public final class ExactStore implements MemoryStore {
  /** Best last, so that a queue has the worst of the best at its head. */
  private static final Comparator<Hit> WORST_FIRST =
      Comparator.comparingDouble(Hit::score).thenComparingLong(hit -> hit.entry().position());

  private record Place(int layer, int head) {}

  private final StoreIdentity identity;
  private final StoreLimits limits;
  private final List<Entry> pending = new ArrayList<>();
  private volatile View committed;
  private volatile boolean closed;

  /** An empty store. */
  public ExactStore(StoreIdentity identity, StoreLimits limits) {
    this.identity = identity;
    this.limits = limits;
    committed = new View(identity, List.of());
  }

  @Override
  public StoreIdentity identity() {
    return identity;
  }

  @Override
  public synchronized void append(List<Entry> entries) {
    open();
    entries.forEach(identity::check);
    pending.addAll(entries);
  }

  @Override
  public synchronized void commit() {
    open();
    List<Entry> all = new ArrayList<>(committed.entries);
    all.addAll(pending);
    pending.clear();
    committed = new View(identity, withinLimits(all));
  }

  /** Without the least surprising, of equals the oldest, if there are too many. */
  private List<Entry> withinLimits(List<Entry> all) {
    long excess = all.size() - limits.entries();
    if (excess <= 0) return all;
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) order.add(i);
    order.sort(Comparator.comparingDouble(i -> all.get(i).innovation())); // stable: oldest first
    List<Integer> kept = order.subList((int) excess, order.size());
    return kept.stream().sorted().map(all::get).toList();
  }

  @Override
  public Snapshot snapshot() {
    open();
    return committed;
  }

  @Override
  public long deleteSession(String session) {
    return delete(entry -> entry.source().session().equals(session));
  }

  @Override
  public long deleteDocument(String document) {
    return delete(entry -> {
      TextSpan span = entry.source().span();
      return span != null && span.document().equals(document);
    });
  }

  @Override
  public long expire(long before) {
    return delete(entry -> entry.source().storedAt() < before);
  }

  private synchronized long delete(Predicate<Entry> doomed) {
    commit();
    List<Entry> kept = committed.entries.stream().filter(doomed.negate()).toList();
    long deleted = committed.size() - kept.size();
    committed = new View(identity, kept);
    return deleted;
  }

  @Override
  public synchronized void close() {
    closed = true;
    committed = new View(identity, List.of());
  }

  private void open() {
    if (closed) throw new IllegalStateException("the store is closed");
  }

  /** One commit; never changed. */
  private static final class View implements Snapshot {
    private final StoreIdentity identity;
    private final List<Entry> entries; // oldest first
    private final Map<Place, List<Entry>> places = new HashMap<>();

    View(StoreIdentity identity, List<Entry> entries) {
      this.identity = identity;
      this.entries = entries;
      for (Entry entry : entries) {
        Place place = new Place(entry.layer(), entry.head());
        places.computeIfAbsent(place, p -> new ArrayList<>()).add(entry);
      }
    }

    @Override
    public long size() {
      return entries.size();
    }

    @Override
    public List<List<Hit>> search(int layer, int head, float[][] queries, int best, Filter filter) {
      identity.checkSearch(layer, head, queries, best);
      List<Entry> here = places.getOrDefault(new Place(layer, head), List.of());
      List<List<Hit>> answers = new ArrayList<>();
      for (float[] query : queries) answers.add(best(here, query, best, filter));
      return answers;
    }

    private static List<Hit> best(List<Entry> entries, float[] query, int best, Filter filter) {
      PriorityQueue<Hit> kept = new PriorityQueue<>(WORST_FIRST);
      for (Entry entry : entries) {
        if (!filter.accepts(entry)) continue;
        kept.add(new Hit(entry, dot(entry.key(), query)));
        if (kept.size() > best) kept.remove();
      }
      return kept.stream().sorted(WORST_FIRST.reversed()).toList();
    }

    private static float dot(float[] a, float[] b) {
      float sum = 0;
      for (int i = 0; i < a.length; i++) sum += a[i] * b[i];
      return sum;
    }

    @Override
    public void close() {} // The collector frees what nobody can reach.
  }
}
