package org.bmojo.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.eval.RecallTrial;
import org.bmojo.eval.RecallTrial.Trained;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.ModelState;
import org.bmojo.model.Placement;
import org.bmojo.store.ExactStore;
import org.bmojo.store.StoreLimits;
import org.bmojo.tasks.Batch;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.Suite;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Recall limited by the disk: with room for one token in eidetic memory, a model recalls four pairs
 * from storage, be it its own past or a store that is written behind its back, and does not without
 * it. The long form, eight pairs beside larger eidetic memories, is {@code runs/storage/recall.sh}.
 */
class StorageRecallTest {
  private static final int PAIRS = 4, WIDTH = 32, WINDOW = 4, BATCH = 16, STEPS = 300, SEED = 1;
  private static final int EXAMPLES = 64, VOCABULARY = 4 * PAIRS + 4;

  @Test
  void whatDoesNotFitIsRecalledFromStorage() {
    RecallTrial trial = trial(sizes(StorageConfig.of(4 * PAIRS - 1, 1)));
    try (Trained trained = trial.train(Placement.CPU, _ -> true);
        LanguageModel one = resized(trained.model(), sizes(StorageConfig.of(1, 1)));
        LanguageModel without = resized(trained.model(), sizes(null))) {
      double all = RecallTrial.mean(trial.test(trained.model(), _ -> {}));
      assertThat(all).isGreaterThan(0.8);
      double best = RecallTrial.mean(trial.test(one, _ -> {}));
      assertThat(best).as("only the best entry").isCloseTo(all, within(0.05));
      assertThat(stored(trial, one)).as("from a store").isCloseTo(best, within(0.02));
      double forgotten = RecallTrial.mean(trial.test(without, _ -> {}));
      assertThat(forgotten).as("without storage").isLessThan(all - 0.25);
    }
  }

  private static ModelConfig sizes(@Nullable StorageConfig storage) {
    EideticConfig eidetic = EideticConfig.of(1, 1, Selection.IMPORTANCE).with(storage);
    AttentionConfig attention =
        new AttentionConfig(1, 1, WIDTH, WINDOW, WINDOW, 4, false, true, 10_000, eidetic);
    MixerConfig mixer = new MixerConfig(new MambaConfig(4, 4, 2, 0), attention);
    return ModelConfig.uniform(VOCABULARY, WIDTH, 2, new BlockConfig(mixer, 0));
  }

  /** Trained on fewer pairs as well, from which it is learnt faster. */
  private static RecallTrial trial(ModelConfig model) {
    List<Suite.Part> parts =
        Stream.of(PAIRS / 4, PAIRS / 2, PAIRS)
            .map(n -> new Suite.Part(task(n), BATCH * (STEPS / 3 + 1L)))
            .toList();
    Suite suite = Suite.of("storage", SEED, parts, List.of(new Suite.Part(task(PAIRS), EXAMPLES)));
    Schedule schedule = Schedule.cosine(1e-2, STEPS);
    return new RecallTrial(
        "storage", model, null, suite, BATCH, schedule, Optimizer.Settings.STANDARD, WINDOW, SEED);
  }

  private static Mqar task(int pairs) {
    return new Mqar(new Mqar.Config(VOCABULARY, 4 * pairs, pairs, 1, false, 1));
  }

  /** The same weights in a model of other memories. */
  private static LanguageModel resized(LanguageModel trained, ModelConfig sizes) {
    LanguageModel model = LanguageModel.create(sizes, 0);
    model.copyWeights(trained);
    return model;
  }

  /** Token by token. */
  private static double stored(RecallTrial trial, LanguageModel model) {
    var store = new ExactStore(Library.identity(model), StoreLimits.NONE);
    try (Library library = new Library(model, store, Duration.ofMinutes(5))) {
      Batch batch = trial.suite().test().getFirst().batch(EXAMPLES, 0);
      int right = 0, asked = 0, length = batch.length();
      for (int b = 0; b < batch.size(); b++) {
        try (ModelState state = model.newState(1)) {
          library.recollection("example " + b).attach(state);
          for (int i = b * length; i < (b + 1) * length; i++) {
            try (Scope _ = new Scope()) {
              var logits = model.step(Ids.tensor(new int[] {(int) batch.inputs()[i]}), state);
              long target = batch.targets()[i];
              if (target < 0) continue;
              asked++;
              if (logits.argmax().item_long() == target) right++;
            }
          }
        }
      }
      return (double) right / asked;
    }
  }
}
