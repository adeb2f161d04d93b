package org.bmojo.train;

import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.Threshold;
import org.bmojo.model.Batch;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.TinyModels;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains the smallest B'MOJO with every memory on, and prints what native memory it holds before
 * and after. For a JVM of its own with a heap of constant size, all of it touched at the start: the
 * resident memory changes only by what is not Java's.
 */
public final class Soak {
  private Soak() {}

  /**
   * Prints five lines: "soak STEPS SECONDS OBJECTS KILOBYTES", so far.
   *
   * @param args steps
   */
  public static void main(String[] args) {
    long steps = Long.parseLong(args[0]);
    torch.set_num_threads(1);
    EideticConfig eidetic =
        new EideticConfig(
            2, 2, Selection.INNOVATION, FarPositions.FIXED, 0, true, new Threshold(null, 0.3));
    AttentionConfig attention = new AttentionConfig(2, 1, 2, 2, 2, 4, true, false, 10_000, eidetic);
    MixerConfig mixer = new MixerConfig(new MambaConfig(2, 4, 1, 0), attention);
    ModelConfig config =
        ModelConfig.uniform(TinyModels.VOCABULARY, 4, 1, new BlockConfig(mixer, 4));
    Schedule schedule = new Schedule(Schedule.Shape.CONSTANT, 1e-3, 0, 0, steps);
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 1);
        Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, schedule)) {
      Trainer.BatchSupplier data = number -> List.of(batch(number));
      long start = System.nanoTime();
      trainer.run(
          data,
          step -> {
            if (step.number() % (steps / 5) == 0) print(step.number(), start);
            return true;
          });
    }
  }

  /** Native objects that Java holds, and resident memory. */
  private static void print(long steps, long start) {
    long seconds = (System.nanoTime() - start) / 1_000_000_000;
    long kilobytes = Pointer.physicalBytes() / 1024;
    System.out.println(
        "soak " + steps + " " + seconds + " " + Pointer.totalCount() + " " + kilobytes);
  }

  /** Two sequences of eight. */
  private static Batch batch(long number) {
    return TinyModels.batch(number, 2, 8, true);
  }
}
