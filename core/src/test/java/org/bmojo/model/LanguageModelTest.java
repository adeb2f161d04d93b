package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Models of every family: logits in all forms, losses, and every named gradient. */
class LanguageModelTest {
  private static final double STEP = 1e-6;

  static Set<String> families() {
    return TinyModels.all().keySet();
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyFormGivesTheLogitsOfTheIndependentModel(String family) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(family));
    try (Scope scope = new Scope();
        LanguageModel model = TinyModels.model(config, 3, ScalarType.Double);
        ModelState chunked = model.newState(2);
        ModelState stepped = model.newState(2)) {
      Batch batch = TinyModels.batch(1, 2, 21, true);
      Tensor ids = batch.ids();
      DenseModel dense = DenseModel.of(config, TinyModels.leaves(model), ids);
      assertWithin("parallel", model.logits(ids, null), dense.logits(), 1e-10);
      List<Tensor> parts = new ArrayList<>(), steps = new ArrayList<>();
      for (int from = 0, n = 1; from < 21; from += n, n = Math.min(n + 2, 21 - from)) {
        parts.add(model.logits(ids.narrow(1, from, n).contiguous(), chunked));
      }
      for (int t = 0; t < 21; t++) {
        steps.add(model.step(ids.narrow(1, t, 1).contiguous(), stepped).unsqueeze(1));
      }
      assertWithin("chunked", cat(1, parts.toArray(Tensor[]::new)), dense.logits(), 1e-10);
      assertWithin("steps", cat(1, steps.toArray(Tensor[]::new)), dense.logits(), 1e-10);
      assertThat(chunked.position()).isEqualTo(21);
      assertWithin("last", model.lastLogits(ids, null), dense.logits().select(1, 20), 1e-10);

      Tensor losses = model.losses(batch, null);
      double sum = losses.sum().item_double() / batch.labelled();
      double wanted = dense.loss(batch.targets()).item_double();
      assertThat(sum).isCloseTo(wanted, within(1e-10));
      Tensor ignored = batch.targets().eq(scalar(LinearCrossEntropy.IGNORED));
      assertThat(losses.mul(ignored).abs().max().item_double()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyNamedGradientIsAutogradsAndTheSlope(String family) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(family));
    try (Scope scope = new Scope();
        LanguageModel model = TinyModels.model(config, 4, ScalarType.Double)) {
      Batch batch = TinyModels.batch(2, 2, 13, family.contains("bmojo"));
      Map<String, Tensor> leaves = TinyModels.leaves(model);
      DenseModel dense = DenseModel.of(config, leaves, batch.ids());
      dense.total(batch.targets()).backward();
      try (Tape tape = Tape.recording()) {
        Var loss = model.loss(tape, batch);
        assertWithin("loss", loss.value(), dense.loss(batch.targets()), 1e-12);
        tape.backward(loss, 1);
      }
      Map<String, Parameter> parameters = model.parameters();
      assertThat(parameters.keySet()).isEqualTo(leaves.keySet());
      parameters.forEach((name, p) -> {
        Tensor gradient = Objects.requireNonNull(p.gradient(), name);
        Tensor wanted = Objects.requireNonNull(leaves.get(name)).grad();
        assertThat(wanted.abs().max().item_double()).as(name).isPositive();
        assertWithin(name, gradient, wanted, 1e-9);
        boolean predictor = name.contains("innovation") && !name.endsWith("gamma");
        assertSlope(name, model, p, batch, predictor);
      });
    }
  }

  /** Along a random direction; the layers' own losses are their predictors' only. */
  private static void assertSlope(
      String name, LanguageModel model, Parameter p, Batch batch, boolean own) {
    Tensor direction = new Draw(9).normal(Shapes.of(p.value()));
    Tensor before = p.value().clone();
    p.value().add_(direction, scalar(STEP));
    double above = loss(model, batch, own);
    p.value().copy_(before).sub_(direction, scalar(STEP));
    double below = loss(model, batch, own);
    p.value().copy_(before);
    Tensor gradient = Objects.requireNonNull(p.gradient(), name);
    double slope = gradient.mul(direction).sum().item_double();
    assertThat((above - below) / (2 * STEP))
        .as(name)
        .isCloseTo(slope, within(1e-7 * Math.max(1, Math.abs(slope))));
  }

  private static double loss(LanguageModel model, Batch batch, boolean own) {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      double loss = model.loss(tape, batch).value().item_double();
      for (Var extra : tape.extraLosses()) loss += own ? extra.value().item_double() : 0;
      return loss;
    }
  }

  @Test
  void theSeedDecidesTheWeights() {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get("everything"));
    try (Scope scope = new Scope();
        LanguageModel one = LanguageModel.create(config, 5);
        LanguageModel same = LanguageModel.create(config, 5);
        LanguageModel other = LanguageModel.create(config, 6)) {
      one.parameters()
          .forEach((name, p) -> {
            Parameter again = Objects.requireNonNull(same.parameters().get(name));
            assertThat(p.value().equal(again.value())).as(name).isTrue();
          });
      String name = "embed_tokens.weight";
      Parameter different = Objects.requireNonNull(other.parameters().get(name));
      Parameter first = Objects.requireNonNull(one.parameters().get(name));
      assertThat(first.value().equal(different.value())).isFalse();
    }
  }

  /** Two branches a layer: √(2 · 8) times smaller in eight layers than in half a layer. */
  @Test
  void whatJoinsTheResidualStreamIsDrawnSmallerInDeepModels() {
    BlockConfig block =
        new BlockConfig(
            Objects.requireNonNull(TinyModels.all().get("everything")).layers().getFirst().mixer(),
            96);
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(ModelConfig.uniform(13, 64, 8, block), 5)) {
      model
          .parameters()
          .forEach((name, p) -> {
            double size = p.value().std().item_double() * Math.sqrt(p.value().size(-1));
            if (name.endsWith("down_proj.weight") || name.endsWith("out_proj.weight")) {
              assertThat(size).as(name).isCloseTo(0.25, within(0.03));
            } else if (name.endsWith("up_proj.weight") || name.endsWith("q_proj.weight")) {
              assertThat(size).as(name).isCloseTo(1, within(0.12));
            }
          });
    }
  }

  @Test
  void shapesWithoutMemoryHaveTheSameNamesAndSizes() {
    TinyModels.all()
        .forEach((family, config) -> {
          try (Scope scope = new Scope();
              LanguageModel real = LanguageModel.create(config, 0);
              LanguageModel shapes = LanguageModel.shapes(config, ScalarType.Float)) {
            assertThat(shapes.parameterCount()).as(family).isEqualTo(real.parameterCount());
            real.parameters()
                .forEach((name, p) -> {
                  Parameter shape = Objects.requireNonNull(shapes.parameters().get(name), name);
                  assertThat(Shapes.of(shape.value())).as(name).isEqualTo(Shapes.of(p.value()));
                  assertThat(shape.decays()).as(name).isEqualTo(p.decays());
                });
          }
        });
  }

  @Test
  void foreignIdsAreRefused() {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get("bmojo"));
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 5)) {
      for (long id : new long[] {-1, 13}) {
        Tensor ids = Tensor.create(new long[] {1, id}, 1, 2);
        assertThatThrownBy(() -> model.logits(ids, null))
            .isInstanceOf(BadInput.class)
            .hasMessageContaining("token id " + id);
      }
      assertThatThrownBy(() -> model.logits(Tensor.create(new long[0], 1, 0), null))
          .isInstanceOf(BadInput.class);
    }
  }
}
