package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class GuardTest {
  private static final Schedule LONG = new Schedule(Schedule.Shape.CONSTANT, 0.02, 0, 0, 200);
  private static final int BAD = 120;

  /** Labels unlike all others, once: the update is not applied, the next ones are. */
  @Test
  void aSpikeIsLeftOut() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("sliding", ScalarType.Float);
        Trainer trainer =
            new Trainer(
                model, GoldenRun.SETTINGS, LONG, new Guard(Guard.Policy.SKIP, 6, 2), null)) {
      Batch usual = Batch.of(new long[12], new long[12], 2);
      Batch odd = GoldenRun.batch(2);
      List<Trainer.Step> steps = new ArrayList<>();
      for (int n = 1; n < BAD; n++) steps.add(trainer.step(_ -> List.of(usual)));
      Map<String, Tensor> before = copy(model);
      Trainer.Step bad = trainer.step(_ -> List.of(odd));
      assertThat(bad.skipped()).contains("above the limit of");
      assertThat(bad.loss()).isGreaterThan(steps.getLast().loss()).isFinite();
      assertSame(model, before);
      Trainer.Step next = trainer.step(_ -> List.of(usual));
      assertThat(next.skipped()).isNull();
      assertThat(next.number()).as("the number is used up").isEqualTo(BAD + 1);
      assertThat(next.loss()).isLessThan(bad.loss());
      assertThat(trainer.skipped()).isEqualTo(1);
      assertThat(steps).allMatch(s -> s.skipped() == null);
    }
  }

  @Test
  void tooManyInARowEndTheRun() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("mamba", ScalarType.Float);
        Trainer trainer =
            new Trainer(
                model, GoldenRun.SETTINGS, LONG, new Guard(Guard.Policy.SKIP, 0, 3), null)) {
      Parameter norm = Objects.requireNonNull(model.parameters().get("norm.weight"));
      norm.value().fill_(Tensors.scalar(Double.NaN));
      List<String> reasons = new ArrayList<>();
      assertThatThrownBy(() ->
              trainer.run(
                  n -> List.of(GoldenRun.batch(n)),
                  s -> reasons.add(Objects.requireNonNull(s.skipped()))))
          .isInstanceOf(DivergedException.class)
          .hasMessageContaining("loss is NaN at step 4")
          .hasMessageContaining("after 3 updates left out in a row");
      assertThat(reasons).containsExactly("loss is NaN", "loss is NaN", "loss is NaN");
      assertThat(trainer.optimizer().steps()).isEqualTo(3);
    }
  }

  @Test
  void aSpikeStopsWhereThatIsTheWish() {
    try (Scope scope = new Scope();
        LanguageModel model = GoldenRun.model("sliding", ScalarType.Float);
        Trainer trainer =
            new Trainer(
                model, GoldenRun.SETTINGS, LONG, new Guard(Guard.Policy.STOP, 6, 1), null)) {
      // What a resumed run reads back of the one before: far lower than any loss here.
      List<Double> low = new ArrayList<>();
      for (int i = 0; i < Guard.LEAST; i++) low.add(0.1 + 0.001 * i);
      trainer.remember(low);
      Map<String, Tensor> before = copy(model);
      assertThatThrownBy(() -> trainer.step(n -> List.of(GoldenRun.batch(n))))
          .isInstanceOf(DivergedException.class)
          .hasMessageContaining("above the limit of 0.14");
      assertSame(model, before);
    }
  }

  /** 1, 2, …, 64 after some that were forgotten: median 32.5, median distance 16. */
  @Test
  void theLimitIsCountedFromTheMedian() {
    Guard.Watch watch = new Guard.Watch(new Guard(Guard.Policy.SKIP, 2, 1));
    for (int i = 0; i < Guard.LEAST - 1; i++) watch.accept(1e6);
    assertThat(watch.limit()).isInfinite();
    for (int i = 1; i <= Guard.WINDOW; i++) watch.accept(i);
    assertThat(watch.limit()).isCloseTo(32.5 + 2 * 1.4826 * 16, within(1e-9));
    Guard.Watch still = new Guard.Watch(new Guard(Guard.Policy.SKIP, 4, 1));
    for (int i = 0; i < Guard.LEAST; i++) still.accept(3);
    assertThat(still.limit()).as("equal losses").isCloseTo(3.06, within(1e-9));
  }

  @Test
  void nonsenseIsRefused() {
    assertThatThrownBy(() -> new Guard(Guard.Policy.SKIP, -1, 3))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("--spike");
    assertThatThrownBy(() -> new Guard(Guard.Policy.SKIP, Double.NaN, 3))
        .isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Guard(Guard.Policy.SKIP, 3, 0)).isInstanceOf(BadInput.class);
  }

  private static Map<String, Tensor> copy(LanguageModel model) {
    Map<String, Tensor> copy = new LinkedHashMap<>();
    model.parameters().forEach((name, p) -> copy.put(name, p.value().clone()));
    return copy;
  }

  private static void assertSame(LanguageModel model, Map<String, Tensor> before) {
    before.forEach((name, t) -> {
      Parameter p = Objects.requireNonNull(model.parameters().get(name));
      assertThat(p.value().equal(t)).as(name).isTrue();
    });
  }
}
