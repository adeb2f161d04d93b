package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.model.Placement;
import org.bmojo.model.TinyModels;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** bfloat16 matrices over float32 masters, on the CPU, where the arithmetic is the same. */
class MixedPrecisionTest {
  private static final Placement BF16 = Placement.of("cpu", "bf16");

  /** One unit in the last place of bfloat16, relative. */
  private static final double ULP = 1.0 / 128;

  @TempDir Path folder = Path.of("");

  @ParameterizedTest
  @ValueSource(strings = {"bmojo", "mamba", "hybrid", "everything"})
  void lossesFollowThoseOfFloat32(String name) {
    double[] wide = losses(name, Placement.CPU), narrow = losses(name, BF16);
    for (int i = 0; i < wide.length; i++) {
      assertThat(narrow[i]).as("step " + i).isCloseTo(wide[i], within(3 * ULP * wide[i]));
      assertThat(narrow[i]).as("in bfloat16").isNotEqualTo(wide[i]);
    }
    assertThat(wide[wide.length - 1]).isLessThan(wide[0] - 0.1);
  }

  private static double[] losses(String name, Placement placement) {
    Schedule schedule = new Schedule(Schedule.Shape.CONSTANT, 0.01, 0, 0, 12);
    List<Double> losses = new ArrayList<>();
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(GoldenRun.config(name), 1)) {
      model.place(placement, true);
      try (Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, schedule)) {
        trainer.run(_ -> List.of(GoldenRun.batch(1)), step -> losses.add(step.loss()));
      }
    }
    return losses.stream().mapToDouble(x -> x).toArray();
  }

  @Test
  void smallStepsAddUpInTheMasters() {
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(GoldenRun.config("sliding"), 1)) {
      model.place(BF16, true);
      Parameter p = model.parameters().get("embed_tokens.weight");
      if (p == null) throw new AssertionError();
      assertThat(p.value().scalar_type().intern()).isEqualTo(ScalarType.BFloat16);
      Tensor before = p.master().clone();
      // Steps far below what bfloat16 can tell apart.
      Schedule tiny = new Schedule(Schedule.Shape.CONSTANT, 1e-7, 0, 0, 3);
      try (Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, tiny)) {
        trainer.run(n -> List.of(GoldenRun.batch(n)), _ -> true);
      }
      assertThat(p.master().equal(before)).isFalse();
      assertThat(p.value().equal(p.master().to(ScalarType.BFloat16))).isTrue();
      Checkpoint.save(folder.resolve("m"), model, null);
      try (Checkpoint saved = Checkpoint.open(folder.resolve("m"))) {
        Parameter q = saved.model().parameters().get("embed_tokens.weight");
        if (q == null) throw new AssertionError();
        assertThat(q.value().equal(p.master())).as("the checkpoint keeps the master").isTrue();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bmojo", "hybrid"})
  void stepsFollowTheWholeSequence(String name) {
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(GoldenRun.config(name), 1)) {
      model.place(BF16, false);
      Tensor ids = TinyModels.batch(1, 2, 13, false).ids();
      Tensor whole = model.logits(ids, null);
      try (ModelState state = model.newState(2)) {
        for (int t = 0; t < 13; t++) {
          Tensor step = model.step(ids.narrow(1, t, 1), state);
          double off = step.sub(whole.select(1, t)).abs().max().item_double();
          assertThat(off).as("token " + t).isLessThan(8 * ULP * whole.abs().max().item_double());
        }
      }
    }
  }

  @Test
  void placesThatDoNotExistAreRefused() {
    assertThatThrownBy(() -> Placement.of("tpu", null))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("expected cpu, cuda or cuda:N");
    assertThatThrownBy(() -> Placement.of("cpu", "int3"))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("expected bf16 or fp32");
  }
}
