package org.bmojo.mixer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.bmojo.store.Entry;
import org.bmojo.store.Hit;
import org.bmojo.store.Source;

/** Entries in a list, compared one by one; answers at once, or when it is told to. */
final class ListStorage implements Storage {
  static final String SESSION = "a session";

  final List<Entry> entries = new ArrayList<>();
  final List<Long> kept = new ArrayList<>();
  final List<CompletableFuture<List<List<Hit>>>> late = new ArrayList<>();
  final List<List<List<Hit>>> found = new ArrayList<>();
  boolean answersLate, takesNoMore;
  List<List<Hit>> using = List.of();

  @Override
  public String session() {
    return SESSION;
  }

  @Override
  public void keep(long position, float score, float[][] keys, float[][] values) {
    kept.add(position);
    if (takesNoMore) return;
    Source source = new Source(SESSION, 0, null);
    for (int g = 0; g < keys.length; g++) {
      entries.add(new Entry(0, g, keys[g], values[g], position, score, source));
    }
  }

  @Override
  public CompletableFuture<List<List<Hit>>> ask(float[][][] queries, int best, long before) {
    List<List<Hit>> answer = new ArrayList<>();
    for (int g = 0; g < queries.length; g++) {
      int head = g;
      answer.add(
          entries.stream()
              .filter(e -> e.head() == head)
              .filter(e -> !e.source().session().equals(SESSION) || e.position() < before)
              .map(e -> new Hit(e, best(queries[head], e.key())))
              .sorted(Comparator.comparingDouble(hit -> -hit.score()))
              .limit(best)
              .toList());
    }
    found.add(answer);
    if (!answersLate) return CompletableFuture.completedFuture(answer);
    CompletableFuture<List<List<Hit>>> future = new CompletableFuture<>();
    late.add(future);
    return future;
  }

  /** Lets the last question's answer arrive. */
  void arrive() {
    late.getLast().complete(found.getLast());
  }

  private static float best(float[][] queries, float[] key) {
    return (float)
        Arrays.stream(queries)
            .mapToDouble(q -> {
              double sum = 0;
              for (int i = 0; i < q.length; i++) sum += (double) q[i] * key[i];
              return sum;
            })
            .max()
            .orElseThrow();
  }

  @Override
  public Duration patience() {
    return Duration.ZERO;
  }

  @Override
  public void using(List<List<Hit>> hits) {
    using = hits;
  }
}
