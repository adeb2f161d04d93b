package org.bmojo.bench.store;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
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
import org.bmojo.serve.Library;
import org.bmojo.store.Entry;
import org.bmojo.store.ExactStore;
import org.bmojo.store.StoreLimits;
import org.bmojo.tasks.Batch;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.NeedleHaystack;
import org.bmojo.tasks.Suite;
import org.bmojo.tasks.Task;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;

/**
 * What storage is worth: models of two layers, trained and tested on more pairs than eidetic memory
 * holds. Which entries come back is no weight, so a model trained with much is tested with little,
 * and with questions asked in other ways.
 *
 * <pre>{@code
 * java @bench/target/cpu/java.args org.bmojo.bench.store.RecallLab mqar 8 1500 1 \
 *   train:8,1,0,max,1  train:1,1,31,max,1  test:1,1,1,max,1  store:1,1,1,max,1
 * }</pre>
 *
 * that is task, pairs, updates and seed; then models: E, C, R, summary and asking queries. {@code
 * test} is the last model trained with other sizes, {@code store} the same read token by token with
 * a library in memory, written behind its back; {@code among:1,1,8,max,1,same,1000} the same for
 * fewer examples, with 1,000 entries of a {@link Crowd} in the library.
 */
public final class RecallLab {
  private static final int WIDTH = 32, WINDOW = 4, BATCH = 16, TESTS = 256, FEW = 32;

  private RecallLab() {}

  /** Runs all models, one after the other. */
  public static void main(String[] args) {
    if (args.length < 5 || !args[4].startsWith("train:")) {
      System.err.println("RecallLab mqar|needle PAIRS UPDATES SEED train:E,C,R,SUMMARY,QUERIES …");
      System.exit(2);
    }
    int pairs = Integer.parseInt(args[1]), updates = Integer.parseInt(args[2]);
    int seed = Integer.parseInt(args[3]);
    List<Task> tasks =
        Stream.of(pairs / 4, pairs / 2, pairs).map(n -> task(args[0], n, pairs)).toList();
    @Nullable Trained trained = null;
    for (int i = 4; i < args.length; i++) {
      String how = args[i].substring(0, args[i].indexOf(':'));
      ModelConfig sizes = model(tasks.getFirst().vocabulary(), args[i].substring(how.length() + 1));
      RecallTrial trial = trial(tasks, sizes, updates, seed);
      if (how.equals("train")) {
        if (trained != null) trained.close();
        trained = trial.train(Placement.CPU, _ -> true);
      }
      if (trained == null) throw new IllegalStateException("the first model is trained");
      try (LanguageModel model = resized(trained.model(), sizes)) {
        double recall =
            switch (how) {
              case "store" -> stored(trial, model, TESTS, List.of());
              case "among" -> among(trial, model, args[i].split(",", -1));
              default -> RecallTrial.mean(trial.test(model, _ -> {}));
            };
        System.out.printf("%s, %d pairs, %s: %.3f%n", args[0], pairs, args[i], recall);
      }
    }
    if (trained != null) trained.close();
  }

  private static Task task(String name, int pairs, int most) {
    int vocabulary = 4 * most + 4;
    return switch (name) {
      case "mqar" -> new Mqar(new Mqar.Config(vocabulary, 4 * pairs, pairs, 1, false, 1));
      case "needle" -> new NeedleHaystack(new NeedleHaystack.Config(vocabulary, 2 * pairs + 1));
      default -> throw new BadInput("task " + name, "expected mqar or needle", "Correct it");
    };
  }

  private static ModelConfig model(int vocabulary, String sizes) {
    String[] s = sizes.split(",", -1);
    int capacity = Integer.parseInt(s[0]), chunk = Integer.parseInt(s[1]);
    int retrieved = Integer.parseInt(s[2]), queries = Integer.parseInt(s[4]);
    var summary = StorageConfig.Summary.valueOf(s[3].toUpperCase(Locale.ROOT));
    @Nullable StorageConfig storage =
        retrieved == 0 ? null : new StorageConfig(retrieved, summary, queries);
    EideticConfig eidetic = EideticConfig.of(capacity, chunk, Selection.IMPORTANCE).with(storage);
    AttentionConfig attention =
        new AttentionConfig(1, 1, WIDTH, WINDOW, WINDOW, 4, false, true, 10_000, eidetic);
    BlockConfig block = new BlockConfig(new MixerConfig(new MambaConfig(4, 4, 2, 0), attention), 0);
    return ModelConfig.uniform(vocabulary, WIDTH, 2, block);
  }

  /** Trained on fewer pairs as well, from which it is learnt faster. */
  private static RecallTrial trial(List<Task> easier, ModelConfig model, int updates, int seed) {
    Task task = easier.getLast();
    long examples = (long) BATCH * (updates / easier.size() + 1);
    Suite suite =
        Suite.of(
            "storage",
            seed,
            easier.stream().map(t -> new Suite.Part(t, examples)).toList(),
            List.of(new Suite.Part(task, TESTS)));
    Schedule schedule = Schedule.cosine(1e-2, updates);
    return new RecallTrial(
        "storage", model, null, suite, BATCH, schedule, Optimizer.Settings.STANDARD, WINDOW, seed);
  }

  /** The same weights in a model of other memories. */
  private static LanguageModel resized(LanguageModel trained, ModelConfig sizes) {
    LanguageModel model = LanguageModel.create(sizes, 0);
    model.copyWeights(trained);
    return model;
  }

  /** With a crowd in the store: its kind and its size are the last two of {@code sizes}. */
  private static double among(RecallTrial trial, LanguageModel model, String[] sizes) {
    if (!(trial.suite().test().getFirst().task() instanceof Mqar task) || sizes.length != 7) {
      throw new BadInput(
          String.join(",", sizes),
          "expected mqar, and a crowd and its size at the end",
          "Write among:E,C,R,SUMMARY,QUERIES,same|other|sessions,ENTRIES");
    }
    var of = Crowd.Of.valueOf(sizes[5].toUpperCase(Locale.ROOT));
    List<Entry> crowd = Crowd.entries(model, task, of, Integer.parseInt(sizes[6]));
    return stored(trial, model, FEW, crowd);
  }

  /** Token by token, what is let go on its way to a store of another thread. */
  private static double stored(
      RecallTrial trial, LanguageModel model, int examples, List<Entry> crowd) {
    var store = new ExactStore(Library.identity(model), StoreLimits.NONE);
    store.append(crowd);
    store.commit();
    try (Library library = new Library(model, store, Duration.ofSeconds(1))) {
      Task task = trial.suite().test().getFirst().task();
      Batch batch = trial.suite().test().getFirst().batch(examples, 0);
      int right = 0, asked = 0, length = batch.length();
      for (int b = 0; b < batch.size(); b++) {
        try (ModelState state = model.newState(1)) {
          library.recollection("example " + b).attach(state);
          int[] ids = new int[length];
          for (int i = 0; i < length; i++) ids[i] = (int) batch.inputs()[b * length + i];
          if (task instanceof Mqar mqar) Crowd.lower(ids, mqar);
          for (int i = 0; i < length; i++) {
            try (Scope _ = new Scope()) {
              var logits = model.step(Ids.tensor(new int[] {ids[i]}), state);
              long target = batch.targets()[b * length + i];
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
