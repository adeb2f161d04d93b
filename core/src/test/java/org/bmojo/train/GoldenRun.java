package org.bmojo.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.TinyModels;
import org.bmojo.train.Schedule.Shape;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Ten updates of a tiny model, always the same. Run by itself it prints the losses. */
public final class GoldenRun {
  static final int STEPS = 10;
  static final Optimizer.Settings SETTINGS = new Optimizer.Settings(0.8, 0.95, 1e-8, 0.1, 1);
  static final Schedule SCHEDULE = new Schedule(Shape.COSINE, 0.02, 0.1, 3, STEPS);

  private GoldenRun() {}

  static ModelConfig config(String family) {
    return Objects.requireNonNull(TinyModels.all().get(family), family);
  }

  static LanguageModel model(String family, ScalarType type) {
    return TinyModels.model(config(family), 7, type);
  }

  /** The batch of update {@code number}. */
  static Batch batch(long number) {
    return TinyModels.batch(number, 3, 15, true);
  }

  /** A family's losses, update by update. */
  static double[] losses(String family, ScalarType type) {
    List<Double> losses = new ArrayList<>();
    try (Scope scope = new Scope();
        LanguageModel model = model(family, type);
        Trainer trainer = new Trainer(model, SETTINGS, SCHEDULE)) {
      trainer.run(number -> List.of(batch(number)), step -> losses.add(step.loss()));
    }
    return losses.stream().mapToDouble(loss -> loss).toArray();
  }

  /**
   * Prints losses in float32, a family a line.
   *
   * @param families by name
   */
  public static void main(String[] families) {
    for (String family : families) {
      StringBuilder line = new StringBuilder("losses");
      for (double loss : losses(family, ScalarType.Float)) line.append(' ').append(loss);
      System.out.println(line);
    }
  }
}
