package org.bmojo.bench.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Placement;
import org.bmojo.model.SmallPresets;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;

/**
 * The losses of the first hundred steps on a GPU, in float32 and in bfloat16, beside those of the
 * CPU: same weights, same batches, a text with repetitions that there is something to learn from.
 *
 * <pre>
 *   BMOJO_CUDA=1 ./bmojo bench agree bmojo-small mamba-small
 * </pre>
 */
public final class TrainAgreement {
  private static final int STEPS = 100, BATCH = 8, CONTEXT = 256, VOCABULARY = 257;

  private TrainAgreement() {}

  /** Prints a line for each preset. */
  public static void run(List<String> presets) {
    System.out.printf(
        "%-20s %9s %9s %14s %14s%n", "model", "first", "last", "GPU fp32 off", "GPU bf16 off");
    for (String name : presets) {
      double[] cpu = losses(name, Placement.CPU);
      double[] wide = losses(name, Placement.of("cuda", "fp32"));
      double[] narrow = losses(name, Placement.of("cuda", "bf16"));
      System.out.printf(
          Locale.ROOT,
          "%-20s %9.4f %9.4f %14.2e %14.2e%n",
          name,
          cpu[0],
          cpu[STEPS - 1],
          largest(cpu, wide),
          largest(cpu, narrow));
    }
  }

  private static double largest(double[] a, double[] b) {
    double largest = 0;
    for (int i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
    return largest;
  }

  private static double[] losses(String name, Placement placement) {
    Schedule schedule = Schedule.cosine(1e-3, STEPS);
    List<Double> losses = new ArrayList<>();
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(SmallPresets.named(name, VOCABULARY), 1)) {
      model.place(placement, true);
      try (Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, schedule)) {
        trainer.run(n -> List.of(batch(n)), step -> losses.add(step.loss()));
      }
    }
    return losses.stream().mapToDouble(x -> x).toArray();
  }

  /** Random words, each of them again some way on. */
  private static Batch batch(long number) {
    SplittableRandom random = new SplittableRandom(number);
    long[] text = new long[BATCH * (CONTEXT + 1)];
    for (int i = 0; i < text.length; i++) {
      boolean again = i >= 40 && random.nextInt(4) > 0;
      text[i] = again ? text[i - 40] : random.nextInt(64);
    }
    long[] ids = new long[BATCH * CONTEXT], targets = new long[BATCH * CONTEXT];
    for (int b = 0; b < BATCH; b++) {
      System.arraycopy(text, b * (CONTEXT + 1), ids, b * CONTEXT, CONTEXT);
      System.arraycopy(text, b * (CONTEXT + 1) + 1, targets, b * CONTEXT, CONTEXT);
    }
    return Batch.of(ids, targets, BATCH);
  }
}
