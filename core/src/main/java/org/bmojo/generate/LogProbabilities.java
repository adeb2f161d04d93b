package org.bmojo.generate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/** Natural logarithms of next tokens' probabilities, as the model gives them before any choice. */
public final class LogProbabilities {
  private final float[] logits;
  private final double logSum;

  /** Of one position's logits, which are not copied. */
  public LogProbabilities(float[] logits) {
    this.logits = logits;
    double max = logits[RandomSampler.likeliest(logits)];
    double sum = 0;
    for (float logit : logits) sum += Math.exp(logit - max);
    logSum = max + Math.log(sum);
  }

  /** A token and the logarithm of its probability. */
  public record Scored(int id, double logProbability) {}

  /** Of one token. */
  public double of(int id) {
    return logits[id] - logSum;
  }

  /** The likeliest {@code count}, likeliest first; of equal ones the lower id. */
  public List<Scored> top(int count) {
    Comparator<Integer> worst =
        Comparator.comparingDouble((Integer id) -> logits[id]).thenComparing(id -> -id);
    PriorityQueue<Integer> best = new PriorityQueue<>(worst);
    for (int id = 0; id < logits.length && count > 0; id++) {
      if (best.size() < count) {
        best.add(id);
      } else if (logits[id] > logits[best.element()]) {
        best.remove();
        best.add(id);
      }
    }
    List<Scored> ordered = new ArrayList<>();
    while (!best.isEmpty()) {
      int id = best.remove();
      ordered.add(new Scored(id, of(id)));
    }
    return ordered.reversed();
  }
}
