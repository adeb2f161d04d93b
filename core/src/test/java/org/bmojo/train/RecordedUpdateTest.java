package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Placement;
import org.bmojo.model.RandomWindow;
import org.bmojo.model.SmallPresets;
import org.bmojo.model.Trainable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Recorded updates beside plain ones. Where there is no GPU they run operation by operation, which
 * proves all but the recording.
 */
final class RecordedUpdateTest {
  private static final int STEPS = 30, VOCABULARY = 257;
  private static final Schedule SCHEDULE = Schedule.cosine(3e-3, STEPS);

  /** Updates of a test that needs no history. */
  private static final int FEW = 7;

  /** Never comes: on a CPU nothing can be recorded. */
  private static final int NEVER = Integer.MAX_VALUE;

  /** What a run reported, and the sums of its weights. */
  private record Result(List<Trainer.Step> steps, List<Double> weights) {}

  @ParameterizedTest
  @ValueSource(strings = {"bmojo-tiny", "mamba-tiny"})
  void withoutAGpuTheOperationsAreTheSame(String preset) {
    assertSame(preset, number -> List.of(batch(number, 2, 63)));
  }

  @Test
  void othersRunAsEver() {
    assertSame(
        "sliding-tiny",
        number ->
            switch ((int) (number % 5)) {
              case 2 -> List.of(batch(number, 2, 13));
              case 3 -> List.of(batch(number, 2, 63), batch(-number, 2, 63));
              case 4 -> List.of(unlabelled(batch(number, 2, 63), 20));
              default -> List.of(batch(number, 2, 63));
            });
  }

  @Test
  void severalBatchesMakeOneUpdate() {
    assertSame("bmojo-tiny", n -> List.of(batch(n, 2, 63), batch(-n, 3, 13)));
  }

  @Test
  void spikesAreLeftOut() {
    Trainer.BatchSupplier data = n -> List.of(n == 25 ? noise(2, 13) : easy(2, 13));
    Result recorded = run("sliding-tiny", Placement.CPU, data, NEVER);
    assertThat(recorded.steps.get(24).skipped()).contains("above the limit");
    assertThat(recorded).isEqualTo(run("sliding-tiny", Placement.CPU, data, -1));
  }

  @Test
  void idsThatAreNoneAreRefused() {
    Batch batch = batch(1, 2, 13);
    batch.ids().narrow(0, 0, 1).fill_(scalar(VOCABULARY));
    assertThatThrownBy(() -> run("mamba-tiny", Placement.CPU, n -> List.of(batch), NEVER))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("token id 257");
  }

  @Test
  void whatCannotBeRecordedIsRefused() {
    try (Scope scope = new Scope();
        LanguageModel model = model("sliding-tiny")) {
      Trainable random = new RandomWindow(model, model, 0.5, 1);
      assertThat(model.repeats()).isTrue();
      assertThat(random.repeats()).isFalse();
      try (Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, SCHEDULE)) {
        assertThatThrownBy(trainer::recordUpdates)
            .isInstanceOf(BadInput.class)
            .hasMessageContaining("CPU");
      }
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @ValueSource(strings = {"bmojo-small", "bmojo-f-small", "mamba-small", "transformer-small"})
  void replaysAreTheSameToTheLastBit(String preset) {
    Placement gpu = Placement.of("cuda", "bf16");
    Trainer.BatchSupplier data = number -> List.of(batch(number, 4, 207));
    Result recorded = run(preset, gpu, data, 3), plain = run(preset, gpu, data, -1);
    assertThat(recorded.steps).isEqualTo(plain.steps);
    assertThat(recorded.weights).isEqualTo(plain.weights);
    assertThat(recorded.steps.getLast().loss()).isLessThan(recorded.steps.getFirst().loss());
  }

  @Tag("gpu")
  @Test
  void replaysBesideOtherShapesSpikesAndSeveralBatches() {
    Placement gpu = Placement.of("cuda", "bf16");
    Trainer.BatchSupplier data =
        number ->
            switch ((int) (number % 6)) {
              case 4 -> List.of(easy(3, 63), easy(3, 63));
              case 5 -> List.of(unlabelled(easy(4, 63), 20), easy(2, 207));
              default ->
                  number == 25
                      ? List.of(noise(4, 63), noise(2, 207))
                      : List.of(easy(4, 63), easy(2, 207));
            };
    Result recorded = run("bmojo-small", gpu, data, 2), plain = run("bmojo-small", gpu, data, -1);
    assertThat(recorded).isEqualTo(plain);
    assertThat(recorded.steps.get(24).skipped()).contains("above the limit");
  }

  @Tag("gpu")
  @Test
  void aListenerMayUseTheModelBetweenReplays() {
    Placement gpu = Placement.of("cuda", "bf16");
    Trainer.BatchSupplier data = number -> List.of(batch(number, 4, 207));
    Result plain = run("bmojo-small", gpu, data, -1);
    try (Scope scope = new Scope();
        LanguageModel model = model("bmojo-small")) {
      model.place(gpu, true);
      try (Trainer trainer = trainer(model, 3)) {
        List<Trainer.Step> steps = new ArrayList<>();
        trainer.run(
            data,
            new Trainer.Listener() {
              @Override
              public boolean stepped(Trainer.Step step) {
                try (Scope look = new Scope()) {
                  // Other lengths, for which the tables of angles make way for others.
                  long length = 13 + 300 * (step.number() % 7);
                  model.lastLogits(batch(step.number(), 1, (int) length).ids(), null);
                }
                return steps.add(step);
              }

              @Override
              public boolean looksAtModel(long number) {
                return true;
              }
            });
        assertThat(steps).isEqualTo(plain.steps);
      }
    }
  }

  private static void assertSame(String preset, Trainer.BatchSupplier data) {
    Result recorded = run(preset, Placement.CPU, data, NEVER, FEW);
    assertThat(recorded.steps).hasSize(FEW);
    assertThat(recorded).isEqualTo(run(preset, Placement.CPU, data, -1, FEW));
  }

  private static Result run(
      String preset, Placement placement, Trainer.BatchSupplier data, int warmUps) {
    return run(preset, placement, data, warmUps, STEPS);
  }

  /** Trains until update {@code last}; recorded after so many, or never where negative. */
  private static Result run(
      String preset, Placement placement, Trainer.BatchSupplier data, int warmUps, long last) {
    try (Scope scope = new Scope();
        LanguageModel model = model(preset)) {
      model.place(placement, true);
      List<Trainer.Step> steps = new ArrayList<>();
      try (Trainer trainer = trainer(model, warmUps)) {
        trainer.run(data, step -> steps.add(step) && step.number() < last);
      }
      List<Double> weights = new ArrayList<>();
      model.parameters().values().forEach(p -> weights.add(p.master().sum().item_double()));
      return new Result(steps, weights);
    }
  }

  private static Trainer trainer(LanguageModel model, int warmUps) {
    Guard guard = new Guard(Guard.Policy.SKIP, 2, 3);
    Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, SCHEDULE, guard, null);
    trainer.recordUpdates(warmUps);
    return trainer;
  }

  private static LanguageModel model(String preset) {
    return LanguageModel.create(SmallPresets.named(preset, VOCABULARY), 1);
  }

  /** Words, each of them again some way on. */
  private static Batch batch(long seed, int rows, int context) {
    SplittableRandom random = new SplittableRandom(seed);
    long[] ids = new long[rows * context], targets = new long[rows * context];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i >= 10 && random.nextInt(4) > 0 ? ids[i - 10] : random.nextInt(64);
      if (i > 0) targets[i - 1] = ids[i];
    }
    return Batch.of(ids, targets, rows);
  }

  /** The same few words over and over. */
  private static Batch easy(int rows, int context) {
    long[] ids = new long[rows * context], targets = new long[rows * context];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i % 3;
      targets[i] = (i + 1) % 3;
    }
    return Batch.of(ids, targets, rows);
  }

  /** What nobody can guess. */
  private static Batch noise(int rows, int context) {
    SplittableRandom random = new SplittableRandom(9);
    long[] ids = random.longs((long) rows * context, 0, VOCABULARY).toArray();
    long[] targets = random.longs((long) rows * context, 100, VOCABULARY).toArray();
    return Batch.of(ids, targets, rows);
  }

  private static Batch unlabelled(Batch batch, int count) {
    batch.targets().narrow(0, 0, 1).narrow(1, 0, count).fill_(scalar(LinearCrossEntropy.IGNORED));
    return new Batch(batch.ids(), batch.targets(), batch.tokens() - count);
  }
}
