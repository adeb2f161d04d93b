package org.bmojo.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.data.BatchSource;
import org.bmojo.data.RowBatches;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenBatches;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.eval.TextScore;
import org.bmojo.eval.TextScorer;
import org.bmojo.generate.Sampler;
import org.bmojo.generate.TextGenerator;
import org.bmojo.model.Batch;
import org.bmojo.model.CarriedMemory;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.model.RandomWindow;
import org.bmojo.model.Trainable;
import org.bmojo.report.EventFile;
import org.bmojo.sweep.Commit;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Guard;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;

/** A model being trained in a folder, from its beginning or from where it was left. */
final class TrainingRun implements AutoCloseable {
  /**
   * What else happens, and after how many updates; 0 for never.
   *
   * @param eval score held-out documents
   * @param sample write something
   * @param save the checkpoint
   * @param evalTokens how many held-out tokens to score
   */
  record Every(int eval, int sample, int save, long evalTokens) {}

  /**
   * What a process decides anew when it takes a run up.
   *
   * @param recompute whether blocks run again in the backward pass
   * @param tensorboard whether to write event files
   * @param skipBadShards whether damaged shards are left out
   * @param lengths what prepares the model for more than it is trained on
   */
  record How(
      Placement placement,
      Guard guard,
      boolean recompute,
      boolean tensorboard,
      boolean skipBadShards,
      Lengths lengths) {
    static How on(Placement placement) {
      return new How(placement, Guard.STANDARD, false, false, false, Lengths.PLAIN);
    }
  }

  /**
   * Recipes for lengths beyond the context.
   *
   * @param carry whether memory is carried from batch to batch
   * @param reset how likely it is emptied before one
   * @param leastWindow windows are between this share of their length and all of it
   */
  record Lengths(boolean carry, double reset, double leastWindow) {
    static final Lengths PLAIN = new Lengths(false, 0, 1);

    /** Refuses what is no share, and a reset of what is not carried. */
    Lengths {
      if (reset > 0 && !carry) {
        throw new BadInput(
            "--reset " + reset, "expected --carry-state beside it", "Add that, or leave it out");
      }
      if (!(reset >= 0 && reset <= 1 && leastWindow > 0 && leastWindow <= 1)) {
        throw new BadInput(
            "--reset %s and --random-window %s".formatted(reset, leastWindow),
            "expected shares, the second above 0",
            "Correct them");
      }
    }
  }

  private static final int SAMPLE_TOKENS = 200;

  private final RunFolder folder;
  private final LanguageModel model;
  private final Tokenizer tokenizer;
  private final TrainingState.Settings settings;
  private final @Nullable CarriedMemory memory;
  private final Trainer trainer;
  private final TokenShards shards;
  private final @Nullable TokenShards heldOut;
  private final BatchSource data;
  private final Metrics metrics;
  private final Pace pace;
  private final Machine machine;
  private final String precision;
  private final @Nullable EventFile events;
  private @Nullable TextScore lastScore;
  private double lastLoss = Double.NaN;
  private final List<Double> losses = new ArrayList<>();

  private TrainingRun(
      RunFolder folder,
      LanguageModel model,
      Tokenizer tokenizer,
      TrainingState.Settings settings,
      TokenShards shards,
      How how,
      long step) {
    this.folder = folder;
    this.model = model;
    this.tokenizer = tokenizer;
    this.settings = settings;
    this.shards = shards;
    Lengths lengths = how.lengths();
    int rows = settings.batch(), context = settings.context();
    long seed = settings.seed();
    data =
        lengths.carry
            ? new RowBatches(shards, rows, context)
            : new TokenBatches(shards, rows, context, seed);
    memory = lengths.carry ? new CarriedMemory(model, lengths.reset, seed) : null;
    Trainable trained = memory == null ? model : memory;
    if (lengths.leastWindow != 1) {
      trained = new RandomWindow(model, trained, lengths.leastWindow, seed);
    }
    trainer = new Trainer(trained, settings.optimizer(), settings.schedule(), how.guard(), null);
    Path tokens = folder.tokens(settings);
    boolean held = TokenShards.exist(tokens, Split.Part.VALIDATION);
    heldOut = held ? TokenShards.open(tokens, Split.Part.VALIDATION, tokenizer) : null;
    metrics = Metrics.after(folder.metrics(), step);
    machine = Machine.of(how.placement());
    precision = how.placement().precision();
    pace = new Pace(model.parameterCount(), machine.peak());
    events =
        how.tensorboard()
            ? EventFile.begin(folder.tensorboard(), step, System.currentTimeMillis() / 1e3)
            : null;
    model.recompute(how.recompute());
  }

  /** Begins with fresh weights. */
  static TrainingRun start(
      RunFolder folder,
      ModelConfig config,
      Tokenizer tokenizer,
      TrainingState.Settings plan,
      How how) {
    return start(folder, config, null, tokenizer, plan, how);
  }

  /**
   * Begins, and saves at once, so that there is something to resume from whatever happens.
   *
   * @param weights of which the new model gets copies; null for fresh ones
   */
  static TrainingRun start(
      RunFolder folder,
      ModelConfig config,
      @Nullable LanguageModel weights,
      Tokenizer tokenizer,
      TrainingState.Settings plan,
      How how) {
    tokenizer.requireFits(config.vocabulary());
    DryRun.requireFits(config, plan, how);
    folder.requireFree();
    folder.create();
    Path tokens = folder.tokens(plan);
    if (tokens.equals(folder.tokens())) tokenize(folder, plan, tokenizer);
    TokenShards shards = open(tokens, tokenizer, how);
    TrainingState.Settings settings = plan.withTokens(shards.tokens());
    LanguageModel model = LanguageModel.create(config, settings.seed());
    if (weights != null) model.copyWeights(weights);
    model.place(how.placement(), true);
    TrainingRun run = new TrainingRun(folder, model, tokenizer, settings, shards, how, 0);
    run.save();
    run.note();
    return run;
  }

  /** Goes on from a checkpoint, whose model now belongs to the run. */
  static TrainingRun resume(
      RunFolder folder, Checkpoint checkpoint, TrainingState.Settings settings, How how) {
    TrainingState state = checkpoint.training();
    if (state == null) throw new IllegalStateException("no training state");
    Tokenizer tokenizer = checkpoint.tokenizer();
    DryRun.requireFits(checkpoint.model().config(), settings, how);
    Path tokens = folder.tokens(settings);
    if (!TokenShards.exist(tokens, Split.Part.TRAIN)) tokenize(folder, settings, tokenizer);
    TokenShards shards = open(tokens, tokenizer, how);
    if (shards.tokens() != settings.tokens()) {
      throw new BadInput(
          "the text in " + tokens + " has " + shards.tokens() + " tokens to train on",
          "expected the " + settings.tokens() + " that the run began with",
          "Restore the data, or start a new run");
    }
    checkpoint.model().place(how.placement(), true);
    TrainingRun run =
        new TrainingRun(folder, checkpoint.model(), tokenizer, settings, shards, how, state.step());
    checkpoint.restore(run.trainer.optimizer());
    run.data.seek(state.position());
    List<Double> before =
        Metrics.read(folder.metrics()).stream()
            .filter(e -> e.path("event").asString("").equals("step"))
            .map(e -> e.path("loss").asDouble())
            .toList();
    run.trainer.remember(before.subList(Math.max(0, before.size() - Guard.WINDOW), before.size()));
    run.note();
    return run;
  }

  /** Writes who takes the run up, once there is something to resume from. */
  private void note() {
    metrics.write(
        new Metrics.Start(
            "start",
            step(),
            Version.current(),
            Commit.current(),
            Runtime.version().toString(),
            System.getProperty("os.name") + " " + System.getProperty("os.arch"),
            machine.name(),
            precision,
            model.parameterCount()));
  }

  private static TokenShards open(Path tokens, Tokenizer tokenizer, How how) {
    if (!how.skipBadShards()) return TokenShards.open(tokens, Split.Part.TRAIN, tokenizer);
    return TokenShards.openSound(
        tokens,
        Split.Part.TRAIN,
        tokenizer,
        damage -> System.err.println("left out: " + damage.getMessage()));
  }

  private static void tokenize(
      RunFolder folder, TrainingState.Settings settings, Tokenizer tokenizer) {
    try (Progress progress = Progress.of("reading " + settings.data() + ", bytes", -1)) {
      TextSource source = TextSource.of(settings.data());
      TokenShards.write(
          folder.tokens(),
          source.observed(document -> progress.advance(document.utf8().length)),
          tokenizer,
          new Split(settings.heldOut(), settings.seed()));
    }
  }

  /** Updates taken. */
  long step() {
    return trainer.optimizer().steps();
  }

  /** The loss of the last update; NaN before the first. */
  double loss() {
    return lastLoss;
  }

  /** Updates left out. */
  long skipped() {
    return trainer.skipped();
  }

  /** The losses of the updates taken by this process. */
  List<Double> losses() {
    return losses;
  }

  /** The last score of held-out documents, if there was one. */
  @Nullable TextScore score() {
    return lastScore;
  }

  /**
   * Trains until the schedule ends, {@code until} is reached or somebody interrupts, and saves.
   *
   * @return whether the schedule was finished
   */
  boolean train(Every every, long until, Interrupt interrupt) {
    long last = Math.min(until, settings.schedule().steps());
    try (Progress progress = Progress.of("training", last - step())) {
      long[] began = {System.nanoTime()};
      if (step() < last) {
        trainer.run(
            this::batches,
            new Trainer.Listener() {
              @Override
              public boolean stepped(Trainer.Step s) {
                double seconds = (System.nanoTime() - began[0]) / 1e9;
                report(s, seconds, last - s.number(), progress);
                if (s.number() < last) {
                  if (due(every.eval(), s.number())) evaluate(every, progress, interrupt);
                  if (due(every.sample(), s.number())) sample(progress);
                  if (due(every.save(), s.number())) save();
                }
                began[0] = System.nanoTime();
                return s.number() < last && !interrupt.isAsked();
              }

              @Override
              public boolean looksAtModel(long n) {
                return n >= last
                    || due(every.eval(), n)
                    || due(every.sample(), n)
                    || due(every.save(), n);
              }
            });
        evaluate(every, progress, interrupt);
        if (due(every.sample(), step())) sample(progress);
        save();
      }
    }
    return step() >= settings.schedule().steps();
  }

  private List<Batch> batches(long number) {
    List<Batch> batches = new ArrayList<>();
    for (int i = 0; i < settings.accumulation(); i++) {
      var next = data.next();
      batches.add(new Batch(next.inputs(), next.targets(), next.inputs().numel()));
    }
    return batches;
  }

  private static boolean due(int every, long step) {
    return every > 0 && step % every == 0;
  }

  private void report(Trainer.Step s, double seconds, long stepsLeft, Progress progress) {
    pace.update(s.tokens(), seconds);
    progress.advance(1);
    String skipped = s.skipped();
    if (skipped != null) {
      metrics.write(new Metrics.Skipped("skipped", s.number(), skipped));
      progress.say("step " + s.number() + " left out: " + skipped);
      return;
    }
    lastLoss = s.loss();
    losses.add(lastLoss);
    long left = stepsLeft * s.tokens();
    metrics.write(
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
    if (events == null) return;
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("train/loss", s.loss());
    values.put("train/gradient_norm", s.gradientNorm());
    values.put("train/learning_rate", s.learningRate());
    values.put("train/tokens_per_second", pace.tokensPerSecond());
    Double share = pace.utilisation();
    if (share != null) values.put("train/mfu", share);
    events.scalars(s.number(), System.currentTimeMillis() / 1e3, values);
  }

  private void evaluate(Every every, Progress progress, Interrupt interrupt) {
    if (heldOut == null || every.eval() == 0 || interrupt.isAsked()) return;
    TextScorer scorer = new TextScorer(model, tokenizer, every.evalTokens());
    scorer.add(heldOut);
    TextScore score = scorer.score();
    lastScore = score;
    metrics.write(
        new Metrics.Evaluation(
            "evaluation", step(), score.bitsPerByte(), score.perplexity(), score.bytes()));
    if (events != null) {
      Map<String, Double> value = Map.of("held_out/bits_per_byte", score.bitsPerByte());
      events.scalars(step(), System.currentTimeMillis() / 1e3, value);
    }
    progress.say(
        String.format(
            Locale.ROOT,
            "step %d: loss %.4f, held out %.4f bits per byte",
            step(),
            lastLoss,
            score.bitsPerByte()));
  }

  private void sample(Progress progress) {
    Sampler sampler = Sampler.random(0.8, 0, 0.95, step());
    String text = new TextGenerator(model, tokenizer).complete("", SAMPLE_TOKENS, sampler);
    metrics.write(new Metrics.Sample("sample", step(), text));
    progress.say("step " + step() + " writes:" + System.lineSeparator() + text.indent(2));
  }

  private void save() {
    TrainingState state = new TrainingState(step(), data.position(), settings);
    Checkpoint.save(folder.model(), model, tokenizer, trainer.optimizer(), state);
  }

  @Override
  public void close() {
    metrics.close();
    if (events != null) events.close();
    trainer.close();
    if (memory != null) memory.close();
    model.close();
    shards.close();
    if (heldOut != null) heldOut.close();
  }
}
