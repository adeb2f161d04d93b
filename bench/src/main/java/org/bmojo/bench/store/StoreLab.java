package org.bmojo.bench.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.stream.Stream;
import org.bmojo.store.Entry;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.MemoryStore;
import org.bmojo.store.Source;
import org.bmojo.store.StoreIdentity;
import org.bmojo.store.StoreLimits;
import org.bmojo.store.lucene.LuceneConfig;
import org.bmojo.store.lucene.LuceneStore;
import org.bmojo.store.lucene.Precision;

/**
 * Fills a store and searches it, in two processes, so that the second one's memory is that of
 * reading alone:
 *
 * <pre>{@code
 * java -Xmx512m @bench/target/cpu/java.args org.bmojo.bench.store.StoreLab fill FOLDER 1000000
 * java -Xmx512m @bench/target/cpu/java.args org.bmojo.bench.store.StoreLab compact FOLDER 1000000
 * java -Xmx512m @bench/target/cpu/java.args org.bmojo.bench.store.StoreLab search FOLDER 1000000
 * }</pre>
 *
 * <p>All entries are of one layer and head, the hardest case: a graph of its own for each of
 * several heads would be smaller.
 */
public final class StoreLab {
  private static final StoreIdentity MODEL = new StoreIdentity(Keys.DIMENSION, 1, 1, "bench");
  private static final int BATCH = 4096, BATCHES_PER_COMMIT = 16;
  private static final int QUERIES = 16, BEST = 10, ROUNDS = 32, WARMUP = 64;

  private StoreLab() {}

  /** Runs one half. */
  public static void main(String[] args) throws IOException {
    if (args.length != 3 || !List.of("fill", "compact", "search").contains(args[0])) {
      System.err.println("StoreLab fill|compact|search FOLDER ENTRIES");
      System.exit(2);
    }
    Path folder = Path.of(args[1]);
    long entries = Long.parseLong(args[2]);
    if (args[0].equals("fill")) fill(folder, entries);
    else if (args[0].equals("compact")) compact(folder);
    else search(folder, entries);
  }

  private static LuceneConfig config(int width) {
    LuceneConfig standard = LuceneConfig.STANDARD;
    return new LuceneConfig(StoreLimits.NONE, Precision.BF16, width, standard.graphFrom(), 2);
  }

  private static void fill(Path folder, long entries) {
    Keys keys = new Keys();
    Source source = new Source("bench", 0, null);
    int width = LuceneConfig.STANDARD.width();
    long begin = System.nanoTime(), made = 0, before;
    LuceneStore store = LuceneStore.open(folder, MODEL, config(width));
    for (long from = 0; from < entries; from += BATCH) {
      before = System.nanoTime();
      List<Entry> batch = new ArrayList<>();
      for (long p = from; p < Math.min(entries, from + BATCH); p++) {
        float[] key = keys.at(p);
        batch.add(new Entry(0, 0, key, key, p, 1, source));
      }
      made += System.nanoTime() - before;
      store.append(batch);
      if (from / BATCH % BATCHES_PER_COMMIT == BATCHES_PER_COMMIT - 1) store.commit();
    }
    store.commit();
    double durable = (System.nanoTime() - begin - made) / 1e9;
    System.out.printf("durable   %.1f s, %.0f entries/s%n", durable, entries / durable);
    System.out.printf(
        "search    %.2f ms median of %d queries at once, graphs not yet built%n",
        median(time(store, keys)), QUERIES);
    before = System.nanoTime();
    store.close();
    double settled = durable + (System.nanoTime() - before) / 1e9;
    System.out.printf("graphs    %.1f s, %.0f entries/s%n", settled, entries / settled);
  }

  private static void compact(Path folder) {
    long begin = System.nanoTime();
    try (LuceneStore store = LuceneStore.open(folder, MODEL, LuceneConfig.STANDARD)) {
      store.compact();
    }
    System.out.printf("compacted in %.1f s%n", (System.nanoTime() - begin) / 1e9);
  }

  private static void search(Path folder, long entries) throws IOException {
    Keys keys = new Keys();
    List<Set<Long>> truth = truth(keys, entries);
    System.out.printf("resident  %.0f MB before opening%n", resident() / 1e6);
    System.out.printf(
        "%-6s %9s %9s %9s %9s %9s%n", "width", "open s", "p50 ms", "p99 ms", "recall", "MB");
    for (int width : new int[] {10, 32, 64, 128, 192, 256}) {
      long begin = System.nanoTime();
      try (LuceneStore store = LuceneStore.open(folder, MODEL, config(width))) {
        double opened = (System.nanoTime() - begin) / 1e9;
        if (store.size() != entries) throw new AssertionError(store.size() + " entries");
        double[] millis = time(store, keys);
        System.out.printf(
            "%-6d %9.2f %9.2f %9.2f %9.4f %9.0f%n",
            width,
            opened,
            median(millis),
            millis[(int) (.99 * millis.length)],
            recall(store, keys, truth),
            resident() / 1e6);
      }
    }
    try (Stream<Path> files = Files.walk(folder)) {
      System.out.printf(
          "on disk   %.0f MB%n", files.mapToLong(f -> f.toFile().length()).sum() / 1e6);
    }
  }

  private static float[][] queries(Keys keys, int round) {
    float[][] queries = new float[QUERIES][];
    for (int q = 0; q < QUERIES; q++) queries[q] = keys.at(-1L - (long) round * QUERIES - q);
    return queries;
  }

  /** Milliseconds of a search for 16 queries, ascending. */
  private static double[] time(MemoryStore store, Keys keys) {
    double[] millis = new double[4 * ROUNDS];
    for (int round = -WARMUP; round < millis.length; round++) {
      float[][] queries = queries(keys, ROUNDS + WARMUP + round); // other than those of the truth
      long begin = System.nanoTime();
      store.search(0, 0, queries, BEST, Filter.ALL);
      if (round >= 0) millis[round] = (System.nanoTime() - begin) / 1e6;
    }
    Arrays.sort(millis);
    return millis;
  }

  private static double median(double[] sorted) {
    return sorted[sorted.length / 2];
  }

  private static double recall(MemoryStore store, Keys keys, List<Set<Long>> truth) {
    long found = 0;
    for (int round = 0; round < ROUNDS; round++) {
      List<List<Hit>> answers = store.search(0, 0, queries(keys, round), BEST, Filter.ALL);
      for (int q = 0; q < QUERIES; q++) {
        Set<Long> best = truth.get(round * QUERIES + q);
        found += answers.get(q).stream().filter(h -> best.contains(h.entry().position())).count();
      }
    }
    return (double) found / (ROUNDS * QUERIES * BEST);
  }

  /** The positions with the largest inner products, for every query, by comparing every key. */
  private static List<Set<Long>> truth(Keys keys, long entries) {
    record Scored(long position, float score) {}
    List<float[]> queries = new ArrayList<>();
    List<PriorityQueue<Scored>> best = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      for (float[] query : queries(keys, round)) {
        queries.add(query);
        best.add(new PriorityQueue<>((a, b) -> Float.compare(a.score, b.score)));
      }
    }
    for (long p = 0; p < entries; p++) {
      float[] key = keys.at(p);
      for (int q = 0; q < queries.size(); q++) {
        float[] query = queries.get(q);
        float dot = 0;
        for (int i = 0; i < key.length; i++) dot += key[i] * query[i];
        PriorityQueue<Scored> kept = best.get(q);
        if (kept.size() == BEST && dot <= kept.element().score) continue;
        kept.add(new Scored(p, dot));
        if (kept.size() > BEST) kept.remove();
      }
    }
    List<Set<Long>> truth = new ArrayList<>();
    for (PriorityQueue<Scored> kept : best) {
      Set<Long> positions = new HashSet<>();
      kept.forEach(s -> positions.add(s.position));
      truth.add(positions);
    }
    return truth;
  }

  /** As the kernel counts it, mapped pages of files included. */
  private static long resident() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
    }
    throw new IllegalStateException("/proc/self/status has no VmRSS");
  }
}
