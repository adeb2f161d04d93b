package org.bmojo.store.lucene;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.store.Entries.MODEL;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.store.Entries;
import org.bmojo.store.Entry;
import org.bmojo.store.ExactStore;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.Source;
import org.bmojo.store.StoreIdentity;
import org.bmojo.store.StoreLimits;
import org.bmojo.store.TextSpan;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store on disk does beyond the contract. */
class LuceneStoreTest {
  private static final float[][] QUERIES = Entries.queries(13, 2);

  @TempDir Path home = Path.of("");

  private LuceneStore open(LuceneConfig config) {
    return LuceneStore.open(home.resolve("store"), MODEL, config);
  }

  private LuceneStore open() {
    return open(LuceneConfig.STANDARD);
  }

  @Test
  void aStoreOpenedAgainGoesOnWhereItWas() {
    LuceneConfig small = LuceneConfig.STANDARD.with(new StoreLimits(13));
    List<List<Hit>> before;
    try (LuceneStore store = open(small)) {
      store.append(constant(0, 20)); // Closing commits.
    }
    try (LuceneStore store = open(small)) {
      store.append(constant(20, 27));
      store.commit();
      before = store.search(0, 0, QUERIES, 99, Filter.ALL);
    }
    try (LuceneStore store = open(small)) {
      // Equally surprising: the oldest had to go, and age must survive a restart.
      var after = store.search(0, 0, QUERIES, 99, Filter.ALL);
      assertThat(after.getFirst().stream().map(hit -> hit.entry().position()))
          .containsExactlyInAnyOrderElementsOf(Stream.iterate(14L, p -> p + 1).limit(13).toList());
      assertThat(scores(after)).isEqualTo(scores(before));
    }
  }

  private static List<Float> scores(List<List<Hit>> hits) {
    return hits.stream().flatMap(List::stream).map(Hit::score).toList();
  }

  private static List<Entry> constant(long from, long to) {
    return Entries.range(from, to).stream()
        .map(e -> new Entry(0, 0, e.key(), e.value(), e.position(), 1, e.source()))
        .toList();
  }

  @Test
  void graphsFindNearlyAllOfTheBest() {
    // Tiny segments get graphs here, so that merged graphs are searched as well.
    LuceneConfig graphs = new LuceneConfig(StoreLimits.NONE, Precision.BF16, 64, 63, 2);
    long found = 0, wanted = 0;
    try (LuceneStore store = open(graphs);
        ExactStore truth = new ExactStore(MODEL, StoreLimits.NONE)) {
      for (long p = 0; p < 6000; p += 1000) {
        store.append(Entries.range(p, p + 1000));
        store.commit();
        truth.append(Entries.range(p, p + 1000));
      }
      truth.commit();
      for (int head = 0; head < MODEL.heads(); head++) {
        var approximate = store.search(0, head, QUERIES, 10, Filter.ALL);
        var exact = truth.search(0, head, QUERIES, 10, Filter.ALL);
        for (int q = 0; q < QUERIES.length; q++) {
          Set<Long> best = new HashSet<>();
          exact.get(q).forEach(hit -> best.add(hit.entry().position()));
          wanted += best.size();
          found +=
              approximate.get(q).stream().filter(h -> best.remove(h.entry().position())).count();
        }
      }
    }
    assertThat((double) found / wanted).isGreaterThan(.95);
  }

  @Test
  void deletionLeavesNoTraceInTheFolder() throws IOException {
    Entry e = Entries.at(0);
    Source secret = new Source("s", 1, new TextSpan("whistleblower.txt", 0, 1));
    try (LuceneStore store = open()) {
      store.append(Entries.range(0, 207));
      store.append(List.of(new Entry(0, 0, e.key(), e.value(), 7, 1, secret)));
      store.commit();
      assertThat(folderContains("whistleblower.txt")).isTrue();
      assertThat(store.deleteDocument("whistleblower.txt")).isEqualTo(1);
      assertThat(folderContains("whistleblower.txt")).isFalse();
      assertThat(store.size()).isEqualTo(207);
    }
  }

  private boolean folderContains(String text) throws IOException {
    try (Stream<Path> files = Files.walk(home)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String bytes = Files.readString(file, StandardCharsets.ISO_8859_1);
        if (bytes.contains(text)) return true;
      }
    }
    return false;
  }

  @Test
  void anotherModelsStoreIsRefusedAndUntouched() {
    try (LuceneStore store = open()) {
      store.append(Entries.range(0, 13));
    }
    StoreIdentity other = new StoreIdentity(13, 2, 3, "retrained");
    assertThatThrownBy(() -> LuceneStore.open(home.resolve("store"), other, LuceneConfig.STANDARD))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("store holds the memory of model made-for-tests")
        .hasMessageContaining("expected that of model retrained");
    try (LuceneStore store = open()) {
      assertThat(store.size()).isEqualTo(13);
    }
  }

  @Test
  void aStoreKeepsThePrecisionItWasMadeWith() {
    try (LuceneStore store = open(LuceneConfig.STANDARD.with(Precision.INT8))) {
      store.append(Entries.range(0, 1));
    }
    try (LuceneStore store = open(LuceneConfig.STANDARD.with(Precision.BF16))) {
      float[] value =
          store.search(0, 0, QUERIES, 1, Filter.ALL).getFirst().getFirst().entry().value();
      float[] stored = Entries.at(0).value();
      assertThat(value).hasSize(13).usingComparatorWithPrecision(.02f).containsExactly(stored);
    }
  }

  @Test
  void aSecondWriterIsRefused() {
    try (LuceneStore store = open()) {
      store.append(Entries.range(0, 1));
      assertThatThrownBy(this::open)
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("another process");
      store.commit();
      assertThat(store.size()).isEqualTo(1);
    }
  }
}
