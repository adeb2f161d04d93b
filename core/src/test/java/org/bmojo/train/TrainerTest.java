package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.TinyModels;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class TrainerTest {
  private static final Schedule FIVE = new Schedule(Schedule.Shape.CONSTANT, 0.01, 0, 0, 5);

  @Test
  void batchesOfUnequalLabelsAddUpToTheBatchOfAll() {
    try (Scope scope = new Scope();
        LanguageModel apart = GoldenRun.model("hybrid", ScalarType.Double);
        LanguageModel together = GoldenRun.model("hybrid", ScalarType.Double);
        Trainer first = new Trainer(apart, GoldenRun.SETTINGS, FIVE);
        Trainer second = new Trainer(together, GoldenRun.SETTINGS, FIVE)) {
      Batch all = TinyModels.batch(1, 4, 13, false);
      all.targets()
          .narrow(0, 0, 1)
          .narrow(1, 0, 9)
          .fill_(Tensors.scalar(LinearCrossEntropy.IGNORED));
      List<Batch> halves = List.of(rows(all, 0, 26 - 9), rows(all, 2, 26));
      Batch whole = new Batch(all.ids(), all.targets(), 52 - 9);
      for (int n = 0; n < 3; n++) {
        Trainer.Step a = first.step(number -> halves), b = second.step(number -> List.of(whole));
        assertThat(a.loss()).isCloseTo(b.loss(), within(1e-12));
        assertThat(a.gradientNorm()).isCloseTo(b.gradientNorm(), within(1e-10));
        assertThat(a.tokens()).isEqualTo(b.tokens()).isEqualTo(52);
      }
      same(apart, together, 1e-9);
    }
  }

  private static Batch rows(Batch all, long from, long labelled) {
    return new Batch(all.ids().narrow(0, from, 2), all.targets().narrow(0, from, 2), labelled);
  }

  @Test
  void theSameSeedsGiveTheSameLossesToTheLastBit() {
    double[] once = GoldenRun.losses("everything", ScalarType.Float);
    assertThat(GoldenRun.losses("everything", ScalarType.Float)).isEqualTo(once);
  }

  @Test
  void theListenerStopsTheRunAndItGoesOnWhereItWas() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("mamba", ScalarType.Float);
        Trainer trainer = new Trainer(model, GoldenRun.SETTINGS, FIVE)) {
      List<Long> numbers = new ArrayList<>();
      Trainer.BatchSupplier data = number -> List.of(GoldenRun.batch(number));
      trainer.run(data, step -> numbers.add(step.number()) && step.number() < 2);
      assertThat(numbers).containsExactly(1L, 2L);
      trainer.run(data, step -> numbers.add(step.number()));
      assertThat(numbers).containsExactly(1L, 2L, 3L, 4L, 5L);
    }
  }

  @Test
  void afterATrainerIsClosedAnotherTrainsTheModelOn() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("mamba", ScalarType.Float)) {
      List<Double> losses = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        try (Trainer trainer = new Trainer(model, GoldenRun.SETTINGS, FIVE)) {
          trainer.run(number -> List.of(GoldenRun.batch(1)), step -> losses.add(step.loss()));
        }
      }
      assertThat(losses).hasSize(10);
      assertThat(losses.getLast()).isLessThan(losses.get(5)).isLessThan(losses.getFirst());
    }
  }

  @Test
  void aLossThatIsNoNumberLeavesTheWeightsAndCanBeFollowedByAGoodStep() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("bmojo", ScalarType.Float);
        Trainer trainer = new Trainer(model, GoldenRun.SETTINGS, FIVE)) {
      Parameter norm = Objects.requireNonNull(model.parameters().get("norm.weight"));
      Tensor good = norm.value().clone();
      norm.value().fill_(Tensors.scalar(Double.NaN));
      Map<String, Tensor> before = copy(model);
      assertThatThrownBy(() -> trainer.step(number -> List.of(GoldenRun.batch(number))))
          .isInstanceOf(DivergedException.class)
          .hasMessageContaining("loss is NaN at step 1")
          .hasMessageContaining("lower the learning rate");
      norm.value().copy_(good);
      before.remove("norm.weight");
      before.forEach((name, t) -> {
        Parameter p = Objects.requireNonNull(model.parameters().get(name));
        assertThat(p.value().equal(t)).as(name).isTrue();
      });
      Trainer.Step step = trainer.step(number -> List.of(GoldenRun.batch(number)));
      assertThat(step.number()).isEqualTo(1);
      assertThat(step.gradientNorm()).isFinite();
    }
  }

  @Test
  void aBatchWithoutLabelsTeachesNothing() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("sliding", ScalarType.Float);
        Trainer trainer = new Trainer(model, GoldenRun.SETTINGS, FIVE)) {
      long[] none = new long[12];
      Arrays.fill(none, LinearCrossEntropy.IGNORED);
      Batch empty = Batch.of(new long[12], none, 2);
      Trainer.Step step = trainer.step(number -> List.of(empty));
      assertThat(step.loss()).isZero();
      assertThat(step.gradientNorm()).isZero();
    }
  }

  @Test
  void aTinyModelLearnsATinyText() {
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(GoldenRun.config("bmojo"), 1)) {
      Schedule schedule = Schedule.cosine(0.03, 80);
      long[] ids = new long[24], next = new long[24];
      for (int i = 0; i < 24; i++) {
        ids[i] = i * 5 % 13;
        next[i] = (i + 1) * 5 % 13;
      }
      Batch batch = Batch.of(ids, next, 1);
      List<Double> losses = new ArrayList<>();
      try (Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, schedule)) {
        trainer.run(number -> List.of(batch), step -> losses.add(step.loss()));
      }
      assertThat(losses.getFirst()).isGreaterThan(2);
      assertThat(losses.getLast()).isLessThan(0.5);
    }
  }

  private static Map<String, Tensor> copy(LanguageModel model) {
    Map<String, Tensor> copy = new LinkedHashMap<>();
    model.parameters().forEach((name, p) -> copy.put(name, p.value().clone()));
    return copy;
  }

  private static void same(LanguageModel a, LanguageModel b, double tolerance) {
    a.parameters()
        .forEach((name, p) -> {
          Parameter other = Objects.requireNonNull(b.parameters().get(name));
          assertWithin(name, p.value(), other.value(), tolerance);
        });
  }
}
