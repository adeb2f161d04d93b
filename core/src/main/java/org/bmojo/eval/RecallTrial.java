package org.bmojo.eval;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.IntFunction;
import java.util.function.LongConsumer;
import org.bmojo.error.BadInput;
import org.bmojo.model.Footprint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.surgery.ResizeEidetic;
import org.bmojo.tasks.Batch;
import org.bmojo.tasks.Compression;
import org.bmojo.tasks.Passkey;
import org.bmojo.tasks.RecallScore;
import org.bmojo.tasks.RecallScore.Slice;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.tasks.Task;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;

/**
 * One model, trained and tested on a suite of synthetic tasks.
 *
 * @param name for tables
 * @param model what is trained
 * @param room E while it trains, little of which teaches to choose; null for the model's own
 * @param suite what it is trained and tested on
 * @param batch examples per update
 * @param schedule learning rate and number of updates
 * @param settings of the optimizer
 * @param window the unit in which distances are sliced, the same for all models of a comparison
 * @param seed decides the initial weights and the order of batches
 */
public record RecallTrial(
    String name,
    ModelConfig model,
    @Nullable Integer room,
    Suite suite,
    int batch,
    Schedule schedule,
    Optimizer.Settings settings,
    int window,
    long seed) {
  /**
   * What came of it.
   *
   * @param name the trial's
   * @param parameters of the model
   * @param stateBytes what the model must remember per sequence to go on decoding after the longest
   *     test, float32, everything counted
   * @param seconds of training
   * @param losses of every update
   * @param tests one per test segment of the suite, in its order
   */
  public record Result(
      String name,
      long parameters,
      long stateBytes,
      double seconds,
      List<Double> losses,
      List<Test> tests) {
    /** The unweighted mean over the tests. */
    public double recall() {
      return mean(tests);
    }
  }

  /**
   * One test.
   *
   * @param task what was asked
   * @param version of the task's generator
   * @param length tokens of an example
   * @param depth where the passkey was hidden, 0 … 1; null for anywhere, and in other tasks
   * @param examples how many were asked
   * @param recall mean over examples of the share of right answers
   * @param plain share of right answers among all
   * @param macro MAD's accuracy: see {@link RecallScore#macro}
   * @param pairs answers by the number of pairs in memory
   * @param windows answers by distance in windows, as {@link RecallScore#bounds} names them
   * @param lookups answers by the number of pairs to be read in turn
   */
  public record Test(
      String task,
      int version,
      int length,
      @Nullable Double depth,
      long examples,
      double recall,
      double plain,
      double macro,
      Map<String, Slice> pairs,
      Map<String, Slice> windows,
      Map<String, Slice> lookups) {
    static Test of(Task task, RecallScore score) {
      @Nullable Double depth =
          task.config() instanceof Passkey.Config c && c.depth() >= 0 ? (Double) c.depth() : null;
      return new Test(
          task.name(),
          task.version(),
          task.length(),
          depth,
          score.examples(),
          score.perExample(),
          score.plain(),
          score.macro(),
          named(score.byPairs(), String::valueOf),
          named(score.byWindows(), RecallScore::bounds),
          named(score.byLookups(), String::valueOf));
    }

    private static Map<String, Slice> named(
        SortedMap<Integer, Slice> slices, IntFunction<String> name) {
      Map<String, Slice> named = new LinkedHashMap<>();
      slices.forEach((key, slice) -> named.put(name.apply(key), slice));
      return named;
    }
  }

  /**
   * A model that {@link #train} has trained, the caller's to close.
   *
   * @param decoder of {@link Compression}; null for all other tasks
   * @param losses of every update
   * @param seconds it took
   */
  public record Trained(
      LanguageModel model, @Nullable Autoencoder decoder, List<Double> losses, double seconds)
      implements AutoCloseable {
    @Override
    public void close() {
      model.close();
      if (decoder != null) decoder.close();
    }
  }

  /** Trains, then tests; {@code listener} sees every update and may end the training. */
  public Result run(Trainer.Listener listener) {
    try (Trained trained = train(Placement.CPU, listener)) {
      return result(trained, test(trained, _ -> {}));
    }
  }

  /** Trains a fresh model; {@code listener} sees every update and may end the training. */
  public Trained train(Placement placement, Trainer.Listener listener) {
    List<Double> losses = new ArrayList<>();
    if (room != null) refuseRoom();
    LanguageModel fresh =
        LanguageModel.create(room == null ? model : ResizeEidetic.of(model, room), seed);
    fresh.place(placement, true);
    @Nullable Autoencoder decoder =
        compresses() ? Autoencoder.create(fresh, placement, seed) : null;
    long began = System.nanoTime();
    try (Trainer trainer = new Trainer(decoder == null ? fresh : decoder, settings, schedule)) {
      trainer.run(
          update -> List.of(tensors(trainBatch(update - 1))),
          step -> {
            losses.add(step.loss());
            return listener.stepped(step);
          });
    } catch (RuntimeException e) {
      new Trained(fresh, decoder, losses, 0).close();
      throw e;
    }
    double seconds = (System.nanoTime() - began) / 1e9;
    LanguageModel asked = room == null ? fresh : asked(fresh, placement);
    return new Trained(asked, decoder, losses, seconds);
  }

  /** What was learnt, in the model that is asked. */
  private LanguageModel asked(LanguageModel learnt, Placement placement) {
    LanguageModel asked = LanguageModel.create(model, seed);
    asked.place(placement, false);
    try (learnt) {
      asked.copyWeights(learnt);
    }
    return asked;
  }

  private void refuseRoom() {
    if (!compresses()) return;
    throw new BadInput(
        "compression with another room in training",
        "expected none: its decoder belongs to the model that was trained",
        "Leave the room in training out");
  }

  /**
   * Scores what was trained on every test of the suite.
   *
   * @param progress is told of tokens as they are read, {@link #testTokens} in all
   */
  public List<Test> test(Trained trained, LongConsumer progress) {
    LanguageModel learnt = trained.model;
    Autoencoder decoder = trained.decoder;
    RecallScorer.Reader reader =
        decoder == null ? learnt::logitsAt : (ids, rows, _) -> decoder.logitsAt(ids, rows);
    RecallScorer scorer = new RecallScorer(learnt, reader, window);
    return suite.test().stream().map(s -> Test.of(s.task(), scorer.score(s, progress))).toList();
  }

  /**
   * The same for a model that was kept.
   *
   * @throws BadInput if the task needs more than a language model
   */
  public List<Test> test(LanguageModel kept, LongConsumer progress) {
    refuseKeeping();
    return test(new Trained(kept, null, List.of(), 0), progress);
  }

  /** Refuses a task whose model is more than a language model, and so is not kept. */
  public void refuseKeeping() {
    if (!compresses()) return;
    throw new BadInput(
        "compression, whose decoder is not part of a model",
        "expected another task where a model is kept or was kept",
        "Leave --out or --test out, or choose another task");
  }

  private boolean compresses() {
    return suite.test().stream().anyMatch(s -> s.task() instanceof Compression);
  }

  /** What came of a training and its tests. */
  public Result result(Trained trained, List<Test> tests) {
    return new Result(name, parameters(), stateBytes(), trained.seconds(), trained.losses(), tests);
  }

  /** Numbers in the model's weights, a decoder's apart. */
  public long parameters() {
    return Footprint.parameters(model).values().stream().mapToLong(Long::longValue).sum();
  }

  /** Bytes per sequence that the model remembers after the longest test. */
  public long stateBytes() {
    int longest = suite.test().stream().mapToInt(s -> s.task().length()).max().orElse(1);
    return Footprint.stateBytes(model, longest);
  }

  /** Tokens of all tests. */
  public long testTokens() {
    return suite.test().stream().mapToLong(s -> s.examples() * s.task().length()).sum();
  }

  /** The unweighted mean over tests, as published results are averaged. */
  public static double mean(List<Test> tests) {
    return tests.stream().mapToDouble(Test::recall).average().orElse(0);
  }

  private Batch trainBatch(long n) {
    // An endless segment has no second epoch, and so no other order to put it in.
    boolean endless = suite.train().getFirst().examples() == Segment.ENDLESS;
    return endless ? suite.trainBatch(batch, n) : suite.shuffledTrainBatch(batch, n, seed);
  }

  private static org.bmojo.model.Batch tensors(Batch batch) {
    return org.bmojo.model.Batch.of(batch.inputs(), batch.targets(), batch.size());
  }
}
