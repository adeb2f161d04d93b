package org.bmojo.store.lucene;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.store.Entries.MODEL;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.bmojo.store.Entries;
import org.bmojo.store.Entry;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code kill -9} during ingestion: every committed entry is there again, as it was. The short form
 * runs with the other tests; {@code runs/storage/kill.sh} runs the long one.
 */
class StoreKillTest {
  static final int GRAPH_FROM = 40;

  private static final int KILLS_OF_ONE_STORE = 10;

  @TempDir Path home = Path.of("");

  @Test
  void fourKillsLoseNothingCommitted() throws Exception {
    kill(4, 1);
  }

  @Test
  @Tag("soak")
  void aThousandKillsLoseNothingCommitted() throws Exception {
    kill(1000, 2);
  }

  private void kill(int kills, long seed) throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    long highest = 0;
    for (int kill = 0; kill < kills; kill++) {
      Path store = home.resolve("store-" + kill / KILLS_OF_ONE_STORE);
      Path output = home.resolve("output");
      Process process = start(store, output);
      // Every third dies young, while it opens the store; the others anywhere in their work.
      while (kill % 3 != 2 && Files.size(output) == 0) Thread.sleep(5);
      Thread.sleep(random.nextInt(1, 600));
      process.destroyForcibly().waitFor();
      long committed = lastCommit(output);
      verify(store, committed);
      highest = Math.max(highest, committed);
      if (kill % 100 == 99) System.out.println("survived " + (kill + 1) + " kills");
    }
    assertThat(highest).as("some process got far enough to lose something").isPositive();
  }

  /** How many entries the process last said to be committed; 0 if it came to none. */
  private static long lastCommit(Path output) throws IOException {
    long committed = 0;
    for (String line : Files.readAllLines(output)) {
      // A line that the kill cut off says too little, which only makes the test milder.
      String number = line.replaceFirst("^(committed|opened) ", "");
      if (number.matches("\\d+")) committed = Math.max(committed, Long.parseLong(number));
    }
    return committed;
  }

  private static void verify(Path folder, long committed) {
    Set<Long> positions = new HashSet<>();
    try (LuceneStore store = LuceneStore.open(folder, MODEL, LuceneConfig.STANDARD)) {
      assertThat(store.damaged()).isEmpty();
      assertThat(store.size()).isGreaterThanOrEqualTo(committed);
      assertThat(store.size() % Ingestion.STEP).as("whole commits only").isZero();
      for (int layer = 0; layer < MODEL.layers(); layer++) {
        for (int head = 0; head < MODEL.heads(); head++) {
          float[][] query = Entries.queries(1, 5);
          int all = (int) store.size();
          if (all == 0) continue;
          List<Hit> hits = store.search(layer, head, query, all, Filter.ALL).getFirst();
          for (Hit hit : hits) {
            Entry found = hit.entry(), stored = Entries.at(found.position());
            assertThat(found.key()).containsExactly(stored.key());
            assertThat(found.value()).containsExactly(stored.value(), within(.02f));
            assertThat(found.source()).isEqualTo(stored.source());
            positions.add(found.position());
          }
        }
      }
      assertThat(positions).hasSize((int) store.size());
      for (long p = 0; p < committed; p++) assertThat(positions).contains(p);
    }
  }

  private static Process start(Path store, Path output) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xshare:auto",
            "-XX:TieredStopAtLevel=1",
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            Ingestion.class.getName(),
            store.toString())
        .redirectOutput(output.toFile())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }
}
