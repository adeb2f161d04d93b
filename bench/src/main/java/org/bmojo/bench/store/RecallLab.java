package org.bmojo.bench.store;

import java.util.List;
import java.util.Locale;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallTrial;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.NeedleHaystack;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.tasks.Task;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;

/**
 * What storage is worth: a model of two layers, trained and tested on more pairs than eidetic
 * memory holds. A line for each model.
 *
 * <pre>{@code
 * java @bench/target/cpu/java.args org.bmojo.bench.store.RecallLab mqar 16 1500 1 \
 *   2,1,0,max,1  16,1,0,max,1  2,1,4,max,1
 * }</pre>
 *
 * that is task, pairs, updates and seed; then for each model E, C, R, summary and asking queries.
 */
public final class RecallLab {
  private static final int WIDTH = 64, WINDOW = 4, BATCH = 32, TESTS = 256;

  private RecallLab() {}

  /** Runs all models, one after the other. */
  public static void main(String[] args) {
    if (args.length < 5) {
      System.err.println("RecallLab mqar|needle PAIRS UPDATES SEED E,C,R,SUMMARY,QUERIES …");
      System.exit(2);
    }
    int pairs = Integer.parseInt(args[1]), updates = Integer.parseInt(args[2]);
    int seed = Integer.parseInt(args[3]);
    Task task = task(args[0], pairs);
    for (int i = 4; i < args.length; i++) {
      ModelConfig model = model(task.vocabulary(), args[i]);
      double recall = recall(task, model, updates, seed);
      System.out.printf("%s %d pairs, %s: recall %.3f%n", args[0], pairs, args[i], recall);
    }
  }

  private static Task task(String name, int pairs) {
    return switch (name) {
      case "mqar" -> new Mqar(new Mqar.Config(4 * pairs + 4, 4 * pairs, pairs, 1, false, 1));
      case "needle" -> new NeedleHaystack(new NeedleHaystack.Config(4 * pairs + 4, 2 * pairs + 1));
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

  private static double recall(Task task, ModelConfig model, int updates, int seed) {
    Suite suite =
        Suite.of(
            "storage",
            seed,
            List.of(new Suite.Part(task, Segment.ENDLESS)),
            List.of(new Suite.Part(task, TESTS)));
    Schedule schedule = Schedule.cosine(5e-3, updates);
    return new RecallTrial(
            "storage", model, suite, BATCH, schedule, Optimizer.Settings.STANDARD, WINDOW, seed)
        .run(_ -> true)
        .recall();
  }
}
