package org.bmojo.train;

import java.time.Duration;
import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.parallel.Group;
import org.bmojo.parallel.LostRankException;
import org.bmojo.parallel.Ranks;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Trains on its half of every batch; a process of its own, for {@link ParallelTrainingTest}. */
final class OneOfTwo {
  static final int STEPS = 4;

  private OneOfTwo() {}

  /** The step after which rank 1 dies; 0 for never. */
  public static void main(String[] args) {
    long dies = Long.parseLong(args[0]);
    torch.set_num_threads(1);
    Ranks ranks = Ranks.of(System.getenv());
    try (Scope scope = new Scope();
        Group group = Group.join(ranks, new Device("cpu"), Duration.ofSeconds(60));
        // Other weights than the first one's, which must not matter.
        LanguageModel model =
            LanguageModel.create(GoldenRun.config("hybrid"), ranks.rank() + 1L, ScalarType.Double);
        Trainer trainer =
            new Trainer(
                model, GoldenRun.SETTINGS, ParallelTrainingTest.SCHEDULE, Guard.STANDARD, group)) {
      trainer.run(
          number -> List.of(half(ParallelTrainingTest.batch(number), ranks.rank())),
          step -> {
            System.out.println("loss " + step.loss() + " " + step.gradientNorm());
            if (step.number() == dies && !ranks.isFirst()) Runtime.getRuntime().halt(9);
            return true;
          });
    } catch (LostRankException e) {
      System.out.println("lost: " + e.getMessage());
      Runtime.getRuntime().halt(7);
    }
    Runtime.getRuntime().halt(0);
  }

  private static Batch half(Batch all, int rank) {
    long rows = all.ids().size(0) / 2;
    Tensor ids = all.ids().narrow(0, rank * rows, rows);
    return new Batch(ids, all.targets().narrow(0, rank * rows, rows), ids.numel());
  }
}
