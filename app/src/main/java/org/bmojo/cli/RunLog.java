package org.bmojo.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bmojo.eval.TextScore;
import org.bmojo.report.EventFile;
import org.bmojo.sweep.Commit;
import org.bmojo.train.Guard;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;

/**
 * What a run tells: {@code metrics.jsonl}, TensorBoard's files, and words beside the progress bar.
 * Of several processes only the first tells anything.
 */
final class RunLog implements AutoCloseable {
  private final TrainingRun.How how;
  private final long parameters;
  private final Pace pace;
  private final Machine machine;
  private final @Nullable Metrics metrics; // null in processes that tell nothing
  private final @Nullable EventFile events;
  private double lastLoss = Double.NaN;
  private final List<Double> losses = new ArrayList<>();

  /** Goes on after what was told up to {@code step}. */
  RunLog(RunFolder folder, TrainingRun.How how, long parameters, long step) {
    this.how = how;
    this.parameters = parameters;
    machine = Machine.of(how.placement());
    Double peak = machine.peak();
    pace = new Pace(parameters, peak == null ? null : peak * how.ranks().size());
    boolean tells = how.ranks().isFirst();
    metrics = tells ? Metrics.after(folder.metrics(), step) : null;
    events =
        tells && how.tensorboard()
            ? EventFile.begin(folder.tensorboard(), step, System.currentTimeMillis() / 1e3)
            : null;
  }

  /** The last losses of a run that was at {@code step}, for its guard. */
  static List<Double> lossesUntil(RunFolder folder, long step) {
    List<Double> before =
        Metrics.read(folder.metrics()).stream()
            .filter(e -> e.path("event").asString("").equals("step"))
            .filter(e -> e.path("step").asLong() <= step)
            .map(e -> e.path("loss").asDouble())
            .toList();
    return before.subList(Math.max(0, before.size() - Guard.WINDOW), before.size());
  }

  /** How far {@code task} is, if this process tells it. */
  Progress progress(String task, long total) {
    return metrics == null ? Progress.untold(task, total) : Progress.of(task, total);
  }

  /** The loss of the last update; NaN before the first. */
  double lastLoss() {
    return lastLoss;
  }

  /** The losses of the updates taken by this process. */
  List<Double> losses() {
    return losses;
  }

  private void write(Metrics.Event event) {
    if (metrics != null) metrics.write(event);
  }

  /** Who takes the run up. */
  void start(long step) {
    write(
        new Metrics.Start(
            "start",
            step,
            Version.current(),
            Commit.current(),
            Runtime.version().toString(),
            System.getProperty("os.name") + " " + System.getProperty("os.arch"),
            machine.name(),
            how.placement().precision(),
            how.ranks().size(),
            parameters));
  }

  /** An update, which took so long. */
  void step(Trainer.Step s, double seconds, long stepsLeft, Progress progress) {
    pace.update(s.tokens(), seconds);
    progress.advance(1);
    String skipped = s.skipped();
    if (skipped != null) {
      write(new Metrics.Skipped("skipped", s.number(), skipped));
      progress.say("step " + s.number() + " left out: " + skipped);
      return;
    }
    lastLoss = s.loss();
    losses.add(lastLoss);
    long left = stepsLeft * s.tokens();
    write(
        new Metrics.Step(
            "step",
            s.number(),
            s.loss(),
            s.gradientNorm(),
            s.learningRate(),
            s.tokens(),
            seconds,
            pace.tokensPerSecond(),
            pace.utilisation(),
            pace.remaining(left)));
    progress.note(pace.words(s.loss(), left));
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("train/loss", s.loss());
    values.put("train/gradient_norm", s.gradientNorm());
    values.put("train/learning_rate", s.learningRate());
    values.put("train/tokens_per_second", pace.tokensPerSecond());
    Double share = pace.utilisation();
    if (share != null) values.put("train/mfu", share);
    scalars(s.number(), values);
  }

  private void scalars(long step, Map<String, Double> values) {
    if (events != null) events.scalars(step, System.currentTimeMillis() / 1e3, values);
  }

  /** Held-out documents were scored. */
  void score(long step, TextScore score, Progress progress) {
    write(
        new Metrics.Evaluation(
            "evaluation", step, score.bitsPerByte(), score.perplexity(), score.bytes()));
    scalars(step, Map.of("held_out/bits_per_byte", score.bitsPerByte()));
    progress.say(
        String.format(
            Locale.ROOT,
            "step %d: loss %.4f, held out %.4f bits per byte",
            step,
            lastLoss,
            score.bitsPerByte()));
  }

  /** The model wrote something. */
  void sample(long step, String text, Progress progress) {
    write(new Metrics.Sample("sample", step, text));
    progress.say("step " + step + " writes:" + System.lineSeparator() + text.indent(2));
  }

  @Override
  public void close() {
    if (metrics != null) metrics.close();
    if (events != null) events.close();
  }
}
