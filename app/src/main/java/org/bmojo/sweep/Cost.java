package org.bmojo.sweep;

import java.util.Map;
import org.bmojo.eval.RecallTrial;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelConfig;
import org.bmojo.tasks.Segment;
import org.jspecify.annotations.Nullable;

/**
 * What a trial takes, told from its configuration alone.
 *
 * @param parameters numbers in the weights
 * @param stateBytes kept per sequence after the longest test
 * @param trainTokens read in training
 * @param testTokens read in tests
 * @param operations floating-point ones of the large products and attention, training and tests;
 *     what a state space does beside its projections is left out
 */
public record Cost(
    long parameters, long stateBytes, long trainTokens, long testTokens, double operations) {
  private static final int FORWARD_AND_BACKWARD = 3;

  /** The cost of a trial. */
  public static Cost of(RecallTrial trial) {
    Map<String, Long> parts = Footprint.parameters(trial.model());
    long parameters = parts.values().stream().mapToLong(Long::longValue).sum();
    double inner =
        parameters - parts.getOrDefault("embedding", 0L) - parts.getOrDefault("head", 0L);

    double tokens = 0, operations = 0, updates = 0;
    for (Segment s : trial.suite().train()) {
      // Of an endless segment any number of updates is a fair sample.
      double batches = s.examples() == Segment.ENDLESS ? 1 : s.batches(trial.batch());
      tokens += batches * trial.batch() * s.task().length();
      operations += batches * trial.batch() * example(trial.model(), inner, s);
      updates += batches;
    }
    double steps = trial.schedule().steps();
    double training = FORWARD_AND_BACKWARD * operations / updates * steps;
    double tests = 0;
    for (Segment s : trial.suite().test()) {
      tests += s.examples() * example(trial.model(), inner, s);
    }
    return new Cost(
        parameters,
        trial.stateBytes(),
        Math.round(tokens / updates * steps),
        trial.testTokens(),
        training + tests);
  }

  /** Operations of one example, forward. */
  private static double example(ModelConfig model, double inner, Segment segment) {
    int length = segment.task().length();
    double perToken = 2 * inner;
    for (BlockConfig block : model.layers()) {
      perToken += 4.0 * model.width() * keys(block.mixer().attention(), length);
    }
    double head = 2.0 * model.vocabulary() * model.width() * segment.batch(1, 0).labels();
    return perToken * length + head;
  }

  /** How many keys a query meets. */
  private static double keys(@Nullable AttentionConfig attention, int length) {
    if (attention == null) return 0;
    if (attention.window() == null) return length / 2.0;
    EideticConfig eidetic = attention.eidetic();
    int kept = eidetic == null ? 0 : eidetic.capacity();
    return Math.min(length / 2.0, attention.window() + attention.fading() + kept);
  }
}
