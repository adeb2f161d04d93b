package org.bmojo.eval;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.bmojo.eval.Continuations.Likelihood;
import org.bmojo.eval.LikelihoodTask.Choice;
import org.bmojo.eval.LikelihoodTask.Item;
import org.jspecify.annotations.Nullable;

/**
 * What a model reached in a {@link LikelihoodTask}.
 *
 * @param items asked
 * @param accuracy share of items whose right answer is the likeliest, or would be written
 * @param accuracyError its standard error
 * @param normalised the same with log-likelihoods divided by the answers' characters
 * @param normalisedError its standard error
 * @param byBytes divided by their bytes of UTF-8
 * @param perplexity e to the mean loss of an answer, where there is one answer only
 */
public record TaskScore(
    int items,
    double accuracy,
    double accuracyError,
    @Nullable Double normalised,
    @Nullable Double normalisedError,
    @Nullable Double byBytes,
    @Nullable Double perplexity) {

  /**
   * Counts.
   *
   * @param likelihoods of each item's choices
   */
  static TaskScore of(LikelihoodTask task, List<Item> items, List<List<Likelihood>> likelihoods) {
    List<Double> right = new ArrayList<>(), normed = new ArrayList<>(), bytes = new ArrayList<>();
    double sum = 0;
    for (int i = 0; i < items.size(); i++) {
      Item item = items.get(i);
      List<Likelihood> own = likelihoods.get(i);
      if (task.isCloze()) {
        right.add(own.getFirst().greedy() ? 1.0 : 0.0);
        sum += own.getFirst().logLikelihood();
        continue;
      }
      right.add(hit(item, own, c -> 1));
      normed.add(hit(item, own, c -> c.text().codePointCount(0, c.text().length())));
      bytes.add(hit(item, own, c -> c.text().getBytes(StandardCharsets.UTF_8).length));
    }
    boolean cloze = task.isCloze();
    return new TaskScore(
        items.size(),
        mean(right),
        error(right),
        cloze ? null : mean(normed),
        cloze ? null : error(normed),
        cloze ? null : mean(bytes),
        cloze ? Math.exp(-sum / items.size()) : null);
  }

  /** 1 if the right answer has the highest score; of equal ones the first has. */
  private static double hit(Item item, List<Likelihood> own, ToDoubleFunction<Choice> length) {
    int best = 0;
    double highest = Double.NEGATIVE_INFINITY;
    for (int c = 0; c < own.size(); c++) {
      double score = own.get(c).logLikelihood() / length.applyAsDouble(item.choices().get(c));
      if (score > highest) {
        highest = score;
        best = c;
      }
    }
    return best == item.gold() ? 1 : 0;
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(v -> v).average().orElse(0);
  }

  /** Standard deviation of the sample over √n. */
  private static double error(List<Double> values) {
    int n = values.size();
    if (n < 2) return 0;
    double mean = mean(values), sum = 0;
    for (double v : values) sum += (v - mean) * (v - mean);
    return Math.sqrt(sum / (n - 1) / n);
  }
}
