package org.bmojo.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.store.Entries.MODEL;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every store does. A store's test says how to open an empty one, and inherits the rest. */
public abstract class StoreContract {
  private static final float[][] QUERIES = Entries.queries(7, 1);

  /** An empty store. */
  protected abstract MemoryStore empty(StoreIdentity identity, StoreLimits limits);

  /** How far a value may be from what was stored, relative to its largest element. */
  protected abstract double precision();

  private MemoryStore filled(long count, StoreLimits limits) {
    MemoryStore store = empty(MODEL, limits);
    store.append(Entries.range(0, count));
    store.commit();
    return store;
  }

  private MemoryStore filled(long count) {
    return filled(count, StoreLimits.NONE);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 13, 63, 207})
  void searchFindsTheLargestInnerProductsOfThatLayerAndHead(int count) {
    try (MemoryStore store = filled(count)) {
      assertThat(store.size()).isEqualTo(count);
      for (int layer = 0; layer < MODEL.layers(); layer++) {
        for (int head = 0; head < MODEL.heads(); head++) {
          List<List<Hit>> found = store.search(layer, head, QUERIES, 5, Filter.ALL);
          for (int q = 0; q < QUERIES.length; q++) {
            List<Long> best = best(Entries.range(0, count), layer, head, q, 5, e -> true);
            assertThat(positions(found.get(q))).isEqualTo(best);
          }
        }
      }
    }
  }

  @Test
  void whatIsFoundIsWhatWasStored() {
    try (MemoryStore store = filled(63)) {
      Hit hit = store.search(1, 2, QUERIES, 1, Filter.ALL).getFirst().getFirst();
      Entry found = hit.entry(), stored = Entries.at(found.position());
      assertThat(found.layer()).isEqualTo(1);
      assertThat(found.head()).isEqualTo(2);
      assertThat(found.source()).isEqualTo(stored.source());
      assertThat(found.innovation()).isEqualTo(stored.innovation());
      assertThat(found.key()).containsExactly(stored.key());
      assertThat(hit.score()).isCloseTo(dot(stored.key(), QUERIES[0]), within(1e-5f));
      float largest = 0;
      for (float v : stored.value()) largest = Math.max(largest, Math.abs(v));
      float tolerance = (float) precision() * largest;
      assertThat(found.value()).containsExactly(stored.value(), within(tolerance));
    }
  }

  @Test
  void compactingCommitsAndLosesNothing() {
    try (MemoryStore store = filled(63)) {
      store.append(Entries.range(63, 207));
      store.compact();
      assertThat(store.size()).isEqualTo(207);
      List<List<Hit>> found = store.search(1, 2, QUERIES, 5, Filter.ALL);
      for (int q = 0; q < QUERIES.length; q++) {
        assertThat(positions(found.get(q)))
            .isEqualTo(best(Entries.range(0, 207), 1, 2, q, 5, e -> true));
      }
    }
  }

  @Test
  void anEntryWithoutTextHasNone() {
    try (MemoryStore store = empty(MODEL, StoreLimits.NONE)) {
      Entry e = Entries.at(0);
      Source bare = new Source("s", 1, null);
      store.append(List.of(new Entry(0, 0, e.key(), e.value(), 7, -1, bare)));
      store.commit();
      Hit hit = store.search(0, 0, QUERIES, 9, Filter.ALL).getFirst().getFirst();
      assertThat(hit.entry().source()).isEqualTo(bare);
      assertThat(hit.entry().innovation()).isEqualTo(-1);
    }
  }

  @Test
  void filtersRestrictSessionAndPositions() {
    List<Filter> filters =
        List.of(
            Filter.ofSession("session 2"),
            Filter.ofSession("nobody"),
            Filter.ALL.within(50, 151),
            Filter.ALL.within(9, 9),
            Filter.ofSession("session 0").within(12, 13),
            Filter.ofSession("session 3").within(0, 100));
    try (MemoryStore store = filled(207)) {
      for (Filter filter : filters) {
        List<List<Hit>> found = store.search(0, 0, QUERIES, 5, filter);
        for (int q = 0; q < QUERIES.length; q++) {
          List<Long> best = best(Entries.range(0, 207), 0, 0, q, 5, filter::accepts);
          assertThat(positions(found.get(q))).as("%s", filter).isEqualTo(best);
        }
      }
    }
  }

  @Test
  void ofEqualScoresTheLaterPositionComesFirst() {
    try (MemoryStore store = empty(MODEL, StoreLimits.NONE)) {
      List<Entry> twins = new ArrayList<>();
      Entry e = Entries.at(0);
      for (long p : new long[] {3, 9, 1, 5}) {
        twins.add(new Entry(0, 0, e.key(), e.value(), p, 1, e.source()));
      }
      store.append(twins);
      store.commit();
      List<Hit> found = store.search(0, 0, QUERIES, 3, Filter.ALL).getFirst();
      assertThat(positions(found)).containsExactly(9L, 5L, 3L);
    }
  }

  @Test
  void readersSeeOnlyCommits() {
    try (MemoryStore store = filled(13);
        Snapshot before = store.snapshot()) {
      store.append(Entries.range(13, 63));
      assertThat(store.size()).isEqualTo(13);
      store.commit();
      assertThat(store.size()).isEqualTo(63);
      store.commit();
      assertThat(store.size()).isEqualTo(63);
      assertThat(store.deleteSession("session 1")).isEqualTo(16);
      assertThat(before.size()).isEqualTo(13);
      List<Hit> then = before.search(1, 1, QUERIES, 9, Filter.ALL).getFirst();
      assertThat(positions(then)).containsExactlyInAnyOrder(1L, 7L);
    }
  }

  @Test
  void aSearchBesideAWriterSeesWholeCommits() throws Exception {
    try (MemoryStore store = empty(MODEL, StoreLimits.NONE)) {
      Thread writer =
          Thread.ofPlatform()
              .start(() -> {
                for (int i = 0; i < 10; i++) {
                  store.append(Entries.range(60L * i, 60L * (i + 1)));
                  store.commit();
                }
              });
      long seen;
      do {
        try (Snapshot now = store.snapshot()) {
          seen = now.size();
          assertThat(seen % 60).isZero();
          assertThat(now.search(0, 0, QUERIES, 1000, Filter.ALL).getFirst())
              .hasSize((int) seen / 6);
        }
      } while (seen < 600 && writer.isAlive());
      writer.join();
      assertThat(store.size()).isEqualTo(600);
    }
  }

  @Test
  void deletionSparesTheOthers() {
    try (MemoryStore store = filled(63)) {
      store.append(Entries.range(63, 207)); // Not committed, yet deleted as well.
      assertThat(store.deleteDocument("document 3")).isEqualTo(41);
      assertThat(store.deleteDocument("document 3")).isZero();
      assertThat(store.deleteSession("session 0")).isEqualTo(42); // 52 but for 10 of document 3
      assertThat(store.expire(Entries.EPOCH + 100)).isEqualTo(60);
      Predicate<Entry> left = e -> e.position() >= 100 && e.position() % 5 != 3;
      for (int q = 0; q < QUERIES.length; q++) {
        var found = store.search(1, 1, QUERIES, 99, Filter.ALL).get(q);
        var all = best(Entries.range(0, 207), 1, 1, q, 99, left.and(e -> e.position() % 4 != 0));
        assertThat(positions(found)).isEqualTo(all);
      }
    }
  }

  @Test
  void aFullStoreKeepsTheMostSurprising() {
    try (MemoryStore store = filled(207, new StoreLimits(63))) {
      List<Long> kept =
          Entries.range(0, 207).stream()
              .sorted(Comparator.comparingDouble(Entry::innovation).reversed())
              .limit(63)
              .map(Entry::position)
              .toList();
      assertThat(everything(store)).containsExactlyInAnyOrderElementsOf(kept);
    }
  }

  @Test
  void ofTheEquallySurprisingTheOldestMakeRoom() {
    try (MemoryStore store = empty(MODEL, new StoreLimits(5))) {
      for (long p = 0; p < 13; p++) {
        Entry e = Entries.at(p);
        store.append(List.of(new Entry(0, 0, e.key(), e.value(), 100 - p, 1, e.source())));
        if (p % 4 == 3) store.commit();
      }
      store.commit();
      assertThat(everything(store)).containsExactlyInAnyOrder(92L, 91L, 90L, 89L, 88L);
    }
  }

  @Test
  void entriesOfAnotherShapeAreRefusedAndNoneOfThemAdded() {
    Entry good = Entries.at(0);
    float[] shorter = new float[12], broken = new float[13];
    broken[5] = Float.NaN;
    Source s = good.source();
    List<Entry> bad =
        List.of(
            new Entry(2, 0, good.key(), good.value(), 0, 0, s),
            new Entry(0, 3, good.key(), good.value(), 0, 0, s),
            new Entry(0, -1, good.key(), good.value(), 0, 0, s),
            new Entry(0, 0, shorter, good.value(), 0, 0, s),
            new Entry(0, 0, good.key(), shorter, 0, 0, s),
            new Entry(0, 0, broken, good.value(), 0, 0, s),
            new Entry(0, 0, good.key(), broken, 0, 0, s),
            new Entry(0, 0, good.key(), good.value(), -1, 0, s),
            new Entry(0, 0, good.key(), good.value(), 0, Float.NaN, s));
    try (MemoryStore store = filled(1)) {
      for (Entry e : bad) {
        assertThatThrownBy(() -> store.append(List.of(good, e)))
            .isInstanceOf(BadInput.class)
            .hasMessageContaining("expected");
      }
      store.commit();
      assertThat(store.size()).isEqualTo(1);
    }
  }

  @Test
  void searchesThatNoEntryCouldAnswerAreRefused() {
    try (MemoryStore store = filled(13)) {
      float[][] wide = {new float[14]};
      assertThatThrownBy(() -> store.search(2, 0, QUERIES, 1, Filter.ALL))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("layer 2");
      assertThatThrownBy(() -> store.search(0, 0, wide, 1, Filter.ALL))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("14 dimensions");
      assertThatThrownBy(() -> store.search(0, 0, QUERIES, 0, Filter.ALL))
          .isInstanceOf(BadInput.class);
      assertThat(store.search(0, 0, new float[0][], 1, Filter.ALL)).isEmpty();
    }
  }

  /** Positions of all entries that searches can find. */
  private static List<Long> everything(MemoryStore store) {
    List<Long> all = new ArrayList<>();
    for (int layer = 0; layer < MODEL.layers(); layer++) {
      for (int head = 0; head < MODEL.heads(); head++) {
        all.addAll(positions(store.search(layer, head, QUERIES, 999, Filter.ALL).getFirst()));
      }
    }
    return all;
  }

  private static List<Long> positions(List<Hit> hits) {
    return hits.stream().map(hit -> hit.entry().position()).toList();
  }

  private static List<Long> best(
      List<Entry> all, int layer, int head, int q, int best, Predicate<Entry> eligible) {
    return all.stream()
        .filter(e -> e.layer() == layer && e.head() == head)
        .filter(eligible)
        .sorted(Comparator.comparingDouble(e -> -dot(e.key(), QUERIES[q])))
        .limit(best)
        .map(Entry::position)
        .toList();
  }

  private static float dot(float[] a, float[] b) {
    float sum = 0;
    for (int i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }
}
