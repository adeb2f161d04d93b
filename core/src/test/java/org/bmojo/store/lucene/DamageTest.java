package org.bmojo.store.lucene;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.store.Entries.MODEL;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.store.Entries;
import org.bmojo.store.Filter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A flipped bit, or the end of a file missing: what is whole can still be read. */
class DamageTest {
  private static final float[][] QUERIES = Entries.queries(1, 3);

  @TempDir Path home = Path.of("");

  private LuceneStore open() {
    return LuceneStore.open(home, MODEL, LuceneConfig.STANDARD);
  }

  /** Three segments: entries 0…59, 60…119, 120…179. */
  @BeforeEach
  void fill() {
    try (LuceneStore store = open()) {
      for (long p = 0; p < 180; p += 60) {
        store.append(Entries.range(p, p + 60));
        store.commit();
      }
    }
  }

  private List<Path> filesOf(String segment) throws IOException {
    try (Stream<Path> files = Files.list(home.resolve("index"))) {
      return files.filter(f -> f.getFileName().toString().startsWith(segment)).sorted().toList();
    }
  }

  @Test
  void aDamagedSegmentIsNamedAndTheRestCanBeRead() throws IOException {
    int tried = 0;
    for (Path file : filesOf("_1")) {
      if (file.toString().endsWith(".si")) continue;
      byte[] whole = Files.readAllBytes(file);
      for (byte[] broken : List.of(flipped(whole), shortened(whole))) {
        Files.write(file, broken);
        try (LuceneStore store = open()) {
          assertThat(store.damaged()).as("%s", file).singleElement().asString().contains("_1");
          assertThat(store.size()).isEqualTo(120);
          var hits = store.search(0, 0, QUERIES, 99, Filter.ALL).getFirst();
          assertThat(hits).hasSize(20);
          assertThat(hits).noneMatch(h -> h.entry().position() / 60 == 1);
          assertThatThrownBy(() -> store.append(Entries.range(0, 1)))
              .isInstanceOf(BadInput.class)
              .hasMessageContaining("segment _1")
              .hasMessageContaining("read what is left");
          assertThatThrownBy(() -> store.deleteSession("session 0")).isInstanceOf(BadInput.class);
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(broken);
        tried++;
      }
      Files.write(file, whole);
    }
    assertThat(tried).isGreaterThan(10);
    try (LuceneStore store = open()) {
      assertThat(store.damaged()).isEmpty();
      assertThat(store.size()).isEqualTo(180);
    }
  }

  @Test
  void withoutItsListOfSegmentsAStoreIsRefusedAndTheFileNamed() throws IOException {
    Path list = filesOf("segments").getLast();
    Path description =
        filesOf("_1").stream().filter(f -> f.toString().endsWith(".si")).findAny().orElseThrow();
    for (Path file : List.of(list, description)) {
      byte[] whole = Files.readAllBytes(file);
      Files.write(file, flipped(whole));
      assertThatThrownBy(this::open)
          .isInstanceOf(BadInput.class)
          .hasMessageContaining(file.getFileName().toString())
          .hasMessageContaining("Bring back a copy");
      Files.write(file, whole);
    }
    open().close();
  }

  private static byte[] flipped(byte[] whole) {
    byte[] broken = whole.clone();
    broken[whole.length / 2] ^= 4;
    return broken;
  }

  private static byte[] shortened(byte[] whole) {
    return Arrays.copyOf(whole, whole.length - 1);
  }
}
