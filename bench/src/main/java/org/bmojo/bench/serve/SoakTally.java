package org.bmojo.bench.serve;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.bench.serve.SoakClient.Answer;

/** What all clients found. */
final class SoakTally {
  private static final int SHOWN = 5; // failures told in full

  private final List<Long> firsts = new ArrayList<>(); // nanoseconds
  private final List<String> failures = new ArrayList<>();
  private long answered, left, wrong, failed;

  synchronized void count(Answer answer, boolean right) {
    if (answer.left()) left++;
    else answered++;
    if (answer.events() > 0) firsts.add(answer.firstNanos());
    if (!right) {
      wrong++;
      note("another answer than alone: " + answer.text());
    }
  }

  synchronized void fail(IOException e) {
    failed++;
    note(e.toString());
  }

  private void note(String failure) {
    if (failures.size() < SHOWN) failures.add(failure);
  }

  synchronized boolean isClean() {
    return wrong == 0 && failed == 0 && answered > 0 && left > 0;
  }

  synchronized void print(int streams, double seconds, long tokens) {
    firsts.sort(null);
    System.out.printf(
        "%d streams, %.0f s, %d requests: %d failed, %d mixed up, %d aborted by their clients%n",
        streams, seconds, answered + left + failed, failed, wrong, left);
    System.out.printf(
        "first token: p50 %.0f ms, p99 %.0f ms; %.0f tokens/s%n",
        millis(0.50), millis(0.99), tokens / seconds);
    failures.forEach(System.out::println);
  }

  private double millis(double share) {
    if (firsts.isEmpty()) return Double.NaN;
    int at = (int) Math.ceil(share * firsts.size()) - 1;
    return firsts.get(Math.max(0, at)) / 1e6;
  }
}
