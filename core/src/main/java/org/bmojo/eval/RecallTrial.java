package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Footprint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.tasks.Batch;
import org.bmojo.tasks.RecallScore;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * One model, trained and tested on a suite of synthetic tasks.
 *
 * @param name for tables
 * @param model what is trained
 * @param suite what it is trained and tested on
 * @param batch examples per update
 * @param schedule learning rate and number of updates
 * @param settings of the optimizer
 * @param seed decides the initial weights and the order of batches
 */
public record RecallTrial(
    String name,
    ModelConfig model,
    Suite suite,
    int batch,
    Schedule schedule,
    Optimizer.Settings settings,
    long seed) {
  private static final int TEST_BATCH = 32;

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
      return tests.stream().mapToDouble(Test::recall).average().orElse(0);
    }
  }

  /**
   * One test.
   *
   * @param task what was asked
   * @param recall mean over examples of the share of right answers
   */
  public record Test(String task, double recall) {}

  /** Trains, then tests; {@code listener} sees every update and may end the training. */
  public Result run(Trainer.Listener listener) {
    List<Double> losses = new ArrayList<>();
    try (LanguageModel trained = LanguageModel.create(model, seed);
        Trainer trainer = new Trainer(trained, settings, schedule)) {
      long began = System.nanoTime();
      trainer.run(
          update -> List.of(tensors(suite.shuffledTrainBatch(batch, update - 1, seed))),
          step -> {
            losses.add(step.loss());
            return listener.stepped(step);
          });
      double seconds = (System.nanoTime() - began) / 1e9;
      List<Test> tests = suite.test().stream().map(s -> test(trained, s)).toList();
      return new Result(
          name, trained.parameterCount(), stateBytes(trained), seconds, losses, tests);
    }
  }

  private long stateBytes(LanguageModel trained) {
    int longest = suite.test().stream().mapToInt(s -> s.task().length()).max().orElse(1);
    return Footprint.stateBytes(trained.config(), longest);
  }

  private static Test test(LanguageModel model, Segment segment) {
    RecallScore score = new RecallScore(1);
    for (long n = 0; n < segment.batches(TEST_BATCH); n++) {
      Batch batch = segment.batch(TEST_BATCH, n);
      score.add(batch, choices(model, batch));
    }
    return new Test(segment.task().name(), score.perExample());
  }

  /** The likeliest id at every labelled position. */
  private static long[] choices(LanguageModel model, Batch batch) {
    try (Scope scope = new Scope()) {
      Tensor logits = model.logits(tensors(batch).ids(), null); // (B, T, V)
      Tensor best = logits.argmax(new LongOptional(2), false).reshape(-1).contiguous();
      long[] all = new long[(int) best.numel()];
      new LongPointer(best.data_ptr()).get(all);
      long[] chosen = new long[batch.positions().length];
      for (int i = 0; i < chosen.length; i++) chosen[i] = all[batch.positions()[i]];
      return chosen;
    }
  }

  private static org.bmojo.model.Batch tensors(Batch batch) {
    return org.bmojo.model.Batch.of(batch.inputs(), batch.targets(), batch.size());
  }
}
