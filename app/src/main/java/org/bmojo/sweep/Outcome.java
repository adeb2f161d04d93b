package org.bmojo.sweep;

import java.util.List;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.eval.RecallModel;
import org.bmojo.eval.RecallTrial;
import org.bmojo.tasks.TaskChoice;
import org.bmojo.train.DivergedException;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What came of a trial, with all that it takes to repeat it: one line of a journal.
 *
 * @param key of {@link SweepTrial#key}
 * @param sweep its name
 * @param label where the trial stands in it
 * @param task as it was chosen
 * @param model with every size written out
 * @param config the same, layer by layer
 * @param window the unit of distances
 * @param seed of weights and examples
 * @param commit of this program; null where that is not known
 * @param device what it ran on
 * @param parameters of the model
 * @param stateBytes kept per sequence after the longest test
 * @param steps taken
 * @param tokens trained on
 * @param seconds of training
 * @param testSeconds of the tests
 * @param loss of the last update; null if it diverged
 * @param failure why there is no result; null where there is one
 * @param recall unweighted mean over the tests; 0 for a failure
 */
public record Outcome(
    String key,
    String sweep,
    SweepTrial.Label label,
    TaskChoice task,
    RecallModel model,
    JsonNode config,
    int batch,
    Schedule schedule,
    Optimizer.Settings optimizer,
    int window,
    long seed,
    @Nullable String commit,
    String device,
    long parameters,
    long stateBytes,
    long steps,
    long tokens,
    double seconds,
    double testSeconds,
    @Nullable Double loss,
    @Nullable String failure,
    double recall,
    List<RecallTrial.Test> tests) {
  /** What all outcomes of a run have in common: its sweep, this program's commit, the device. */
  record Origin(String sweep, @Nullable String commit, String device) {}

  /** A trial that came to its end. */
  static Outcome of(
      SweepTrial trial,
      Origin origin,
      long tokens,
      RecallTrial.Trained trained,
      List<RecallTrial.Test> tests,
      double testSeconds) {
    List<Double> losses = trained.losses();
    return of(
        trial,
        origin,
        tokens,
        losses.size(),
        trained.seconds(),
        testSeconds,
        losses.getLast(),
        null,
        tests);
  }

  /** A trial whose training broke off. */
  static Outcome failed(SweepTrial trial, Origin origin, long tokens, DivergedException why) {
    String words = String.valueOf(why.getMessage());
    return of(trial, origin, tokens, 0, 0, 0, null, words, List.of());
  }

  private static Outcome of(
      SweepTrial t,
      Origin origin,
      long tokens,
      long steps,
      double seconds,
      double testSeconds,
      @Nullable Double loss,
      @Nullable String failure,
      List<RecallTrial.Test> tests) {
    RecallTrial trial = t.trial();
    return new Outcome(
        t.key(),
        origin.sweep,
        t.label(),
        t.task(),
        t.model(),
        ModelJson.write(trial.model()),
        trial.batch(),
        trial.schedule(),
        trial.settings(),
        trial.window(),
        trial.seed(),
        origin.commit,
        origin.device,
        trial.parameters(),
        trial.stateBytes(),
        steps,
        tokens,
        seconds,
        testSeconds,
        loss,
        failure,
        RecallTrial.mean(tests),
        tests);
  }

  /** The highest learning rate. */
  public double learningRate() {
    return schedule.peak();
  }
}
