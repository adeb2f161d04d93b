package org.bmojo.cli;

import java.nio.file.Path;
import java.util.List;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
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
import org.bmojo.model.Recompute;
import org.bmojo.model.Trainable;
import org.bmojo.parallel.Group;
import org.bmojo.parallel.RankBatches;
import org.bmojo.parallel.Ranks;
import org.bmojo.parallel.Updates;
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
   * @param recompute what is made again in the backward pass
   * @param graph whether updates are launched as CUDA graphs
   * @param tensorboard whether to write event files
   * @param skipBadShards whether damaged shards are left out
   * @param separate whether documents that share a row know nothing of each other
   * @param group the processes that train together; null for one alone
   * @param lengths what prepares the model for more than it is trained on
   */
  record How(
      Placement placement,
      Guard guard,
      Recompute recompute,
      boolean graph,
      boolean tensorboard,
      boolean skipBadShards,
      boolean separate,
      @Nullable Group group,
      Lengths lengths) {
    static How on(Placement placement) {
      return new How(
          placement,
          Guard.STANDARD,
          Recompute.NONE,
          false,
          false,
          false,
          false,
          null,
          Lengths.PLAIN);
    }

    /** Which process this is. */
    Ranks ranks() {
      return group == null ? Ranks.ALONE : group.ranks();
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
  private final Updates data;
  private final RunLog log;
  private final Ranks ranks;
  private @Nullable TextScore lastScore;

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
    ranks = how.ranks();
    Lengths lengths = how.lengths();
    int rows = settings.batch(), context = settings.context();
    int accumulation = settings.accumulation();
    long seed = settings.seed();
    data =
        lengths.carry
            ? Updates.of(new RowBatches(shards, rows, context, how.separate()), accumulation)
            : new RankBatches(
                new TokenBatches(shards, rows, context, seed, how.separate()),
                ranks,
                rows,
                accumulation);
    memory = lengths.carry ? new CarriedMemory(model, lengths.reset, seed) : null;
    Trainable trained = memory == null ? model : memory;
    if (lengths.leastWindow != 1) {
      trained = new RandomWindow(model, trained, lengths.leastWindow, seed);
    }
    trainer =
        new Trainer(trained, settings.optimizer(), settings.schedule(), how.guard(), how.group());
    if (how.graph()) trainer.recordUpdates();
    Path tokens = folder.tokens(settings);
    boolean held = ranks.isFirst() && TokenShards.exist(tokens, Split.Part.VALIDATION);
    heldOut = held ? TokenShards.open(tokens, Split.Part.VALIDATION, tokenizer) : null;
    log = new RunLog(folder, how, model.parameterCount(), step);
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
    Path tokens = folder.tokens(plan);
    boolean text = tokens.equals(folder.tokens());
    if (text) requireAlone(how.ranks(), plan);
    if (how.ranks().isFirst()) {
      folder.requireFree();
      folder.create();
      if (text) tokenize(folder, plan, tokenizer);
    }
    TokenShards shards = open(tokens, tokenizer, how);
    TrainingState.Settings settings = plan.withTokens(shards.tokens());
    LanguageModel model = LanguageModel.create(config, settings.seed());
    if (weights != null) model.copyWeights(weights);
    model.place(how.placement(), true);
    TrainingRun run = new TrainingRun(folder, model, tokenizer, settings, shards, how, 0);
    run.save();
    run.log.start(0);
    return run;
  }

  /** Refuses text that each of several processes would have to make tokens of. */
  private static void requireAlone(Ranks ranks, TrainingState.Settings settings) {
    if (!ranks.areMany()) return;
    throw new BadInput(
        ranks.size() + " processes to train on " + settings.data(),
        "expected a folder of tokens, which all of them read",
        "Make it once: ./bmojo data prepare " + settings.data() + " --out tokens");
  }

  /** Goes on from a checkpoint, whose model now belongs to the run. */
  static TrainingRun resume(
      RunFolder folder, Checkpoint checkpoint, TrainingState.Settings settings, How how) {
    TrainingState state = checkpoint.training();
    if (state == null) throw new IllegalStateException("no training state");
    Tokenizer tokenizer = checkpoint.tokenizer();
    DryRun.requireFits(checkpoint.model().config(), settings, how);
    Path tokens = folder.tokens(settings);
    if (!TokenShards.exist(tokens, Split.Part.TRAIN)) {
      requireAlone(how.ranks(), settings);
      tokenize(folder, settings, tokenizer);
    }
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
    run.trainer.remember(RunLog.lossesUntil(folder, state.step()));
    run.log.start(state.step());
    return run;
  }

  private static TokenShards open(Path tokens, Tokenizer tokenizer, How how) {
    if (!how.skipBadShards()) return TokenShards.open(tokens, Split.Part.TRAIN, tokenizer);
    return TokenShards.openSound(
        tokens,
        Split.Part.TRAIN,
        tokenizer,
        damage -> {
          if (how.ranks().isFirst()) System.err.println("left out: " + damage.getMessage());
        });
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
    return log.lastLoss();
  }

  /** Updates left out. */
  long skipped() {
    return trainer.skipped();
  }

  /** The losses of the updates taken by this process. */
  List<Double> losses() {
    return log.losses();
  }

  /** The last score of held-out documents, if there was one. */
  @Nullable TextScore score() {
    return lastScore;
  }

  /** Whether it stopped because somebody interrupted this process or another. */
  boolean interrupted() {
    return trainer.ended();
  }

  /**
   * Trains until the schedule ends, {@code until} is reached or somebody interrupts, and saves.
   *
   * @return whether the schedule was finished
   */
  boolean train(Every every, long until, Interrupt interrupt) {
    long last = Math.min(until, settings.schedule().steps());
    try (Progress progress = log.progress("training", last - step())) {
      if (step() < last) {
        trainer.run(new Supply(), new Watch(every, last, interrupt, progress));
        if (every.eval() > 0 && !trainer.ended()) evaluate(every, progress);
        if (due(every.sample(), step())) sample(progress);
        save();
      }
    }
    return step() >= settings.schedule().steps();
  }

  /** This process's batches. */
  private final class Supply implements Trainer.BatchSupplier {
    @Override
    public List<Batch> batches(long number) {
      return data.next();
    }

    @Override
    public double share(int processes) {
      return data.share();
    }
  }

  /** Reports, evaluates, samples and saves while the model trains. */
  private final class Watch implements Trainer.Listener {
    private final Every every;
    private final long last;
    private final Interrupt interrupt;
    private final Progress progress;
    private long began = System.nanoTime();

    Watch(Every every, long last, Interrupt interrupt, Progress progress) {
      this.every = every;
      this.last = last;
      this.interrupt = interrupt;
      this.progress = progress;
    }

    @Override
    public boolean stepped(Trainer.Step s) {
      long n = s.number();
      log.step(s, (System.nanoTime() - began) / 1e9, last - n, progress);
      if (n < last) {
        if (due(every.eval(), n) && !interrupt.isAsked()) evaluate(every, progress);
        if (due(every.sample(), n)) sample(progress);
        if (due(every.save(), n)) save();
      }
      began = System.nanoTime();
      return n < last;
    }

    @Override
    public boolean looksAtModel(long n) {
      return n >= last || due(every.eval(), n) || due(every.sample(), n) || due(every.save(), n);
    }

    @Override
    public boolean asksToEnd() {
      return interrupt.isAsked();
    }
  }

  private static boolean due(int every, long step) {
    return every > 0 && step % every == 0;
  }

  private void evaluate(Every every, Progress progress) {
    if (heldOut == null) return;
    TextScorer scorer = new TextScorer(model, tokenizer, every.evalTokens());
    scorer.add(heldOut);
    TextScore score = scorer.score();
    lastScore = score;
    log.score(step(), score, progress);
  }

  private void sample(Progress progress) {
    if (!ranks.isFirst()) return;
    Sampler sampler = Sampler.random(0.8, 0, 0.95, step());
    String text = new TextGenerator(model, tokenizer).complete("", SAMPLE_TOKENS, sampler);
    log.sample(step(), text, progress);
  }

  /** The same files, however many processes share the optimizer's state. */
  private void save() {
    trainer.optimizer().collect();
    if (!ranks.isFirst()) return;
    TrainingState state = new TrainingState(step(), data.position(), settings);
    Checkpoint.save(folder.model(), model, tokenizer, trainer.optimizer(), state);
  }

  @Override
  public void close() {
    log.close();
    trainer.close();
    if (memory != null) memory.close();
    model.close();
    shards.close();
    if (heldOut != null) heldOut.close();
  }
}
