package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.TinyModels;
import org.bmojo.tape.Parameter;
import org.bmojo.train.Optimizer.Settings;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class OptimizerTest {
  private static final Settings TORCH = new Settings(0.9, 0.999, 1e-8, 0.1, 0);

  /** libtorch's own AdamW with its default betas, one for what decays and one for what does not. */
  @Test
  void agreesWithLibtorchsAdamW() {
    try (Scope scope = new Scope()) {
      Draw draw = new Draw(1);
      Tensor a = draw.normal(5, 3), b = draw.normal(7);
      Tensor theirA = a.clone().set_requires_grad(true), theirB = b.clone().set_requires_grad(true);
      AdamWOptions decays = new AdamWOptions(1e-3), stays = new AdamWOptions(1e-3);
      decays.weight_decay().put(0.1);
      stays.weight_decay().put(0);
      AdamW first = new AdamW(new TensorVector(theirA), decays);
      AdamW second = new AdamW(new TensorVector(theirB), stays);
      Map<String, Parameter> parameters = new LinkedHashMap<>();
      parameters.put("a", Parameter.decaying(a));
      parameters.put("b", Parameter.undecayed(b));
      try (Optimizer ours = new Optimizer(parameters, TORCH)) {
        for (int step = 1; step <= 7; step++) {
          double rate = 0.02 / step;
          Tensor ga = draw.normal(5, 3), gb = draw.normal(7);
          Objects.requireNonNull(parameters.get("a")).addGradient(ga);
          Objects.requireNonNull(parameters.get("b")).addGradient(gb);
          double norm = ours.step(rate);
          double squares = ga.square().sum().add(gb.square().sum()).item_double();
          assertThat(norm).isCloseTo(Math.sqrt(squares), within(1e-12));
          for (AdamW theirs : new AdamW[] {first, second}) {
            theirs.zero_grad();
            theirs.param_groups().get(0).options().set_lr(rate);
          }
          theirA.mul(ga).sum().add(theirB.mul(gb).sum()).backward();
          first.step();
          second.step();
          assertWithin("decaying, step " + step, a, theirA, 1e-13);
          assertWithin("undecayed, step " + step, b, theirB, 1e-13);
        }
        assertThat(ours.steps()).isEqualTo(7);
        assertThat(ours.state()).containsOnlyKeys("a.first", "a.second", "b.first", "b.second");
      }
      parameters.values().forEach(Parameter::close);
    }
  }

  @Test
  void aLargeGradientIsScaledToTheClipAndASmallOneLeftAlone() {
    try (Scope scope = new Scope()) {
      // Two steps from the same weights: a gradient of norm 10 clipped to 2 does what norm 2 does.
      Settings clipped = new Settings(0.9, 0.95, 1e-8, 0, 2);
      Tensor direction = new Draw(2).normal(4);
      direction = direction.div(direction.norm());
      Tensor ten = stepped(clipped, direction.mul(scalar(10)), 10);
      Tensor two = stepped(new Settings(0.9, 0.95, 1e-8, 0, 0), direction.mul(scalar(2)), 2);
      Tensor small = stepped(clipped, direction.mul(scalar(2)), 2);
      assertWithin("clipped", ten, two, 1e-13);
      assertThat(small.equal(two)).isTrue();
    }
  }

  /** Weights after this gradient and a fixed one, by which the size of the first shows. */
  private static Tensor stepped(Settings settings, Tensor gradient, double norm) {
    Tensor weight = new Draw(3).normal(4);
    Parameter p = Parameter.decaying(weight);
    try (Optimizer optimizer = new Optimizer(Map.of("p", p), settings)) {
      p.addGradient(gradient);
      assertThat(optimizer.step(0.1)).isCloseTo(norm, within(1e-12));
      p.addGradient(new Draw(4).uniform(0, 1, 4));
      optimizer.step(0.1);
      return weight.clone();
    } finally {
      p.close();
    }
  }

  @Test
  void aParameterWithoutGradientStays() {
    try (Scope scope = new Scope()) {
      Tensor idle = new Draw(3).normal(4), before = idle.clone();
      Parameter p = Parameter.decaying(idle), q = Parameter.decaying(new Draw(4).normal(4));
      Map<String, Parameter> parameters = Map.of("p", p, "q", q);
      try (Optimizer optimizer = new Optimizer(parameters, Settings.STANDARD)) {
        q.addGradient(new Draw(5).normal(4));
        optimizer.step(0.1);
        assertThat(idle.equal(before)).isTrue();
        assertThat(q.gradient()).as("cleared").isNull();
        assertThatThrownBy(() -> optimizer.step(0.1)).isInstanceOf(IllegalStateException.class);
      }
      p.close();
      q.close();
    }
  }

  @Test
  void aGradientThatIsNotFiniteUpdatesNothing() {
    try (Scope scope = new Scope()) {
      for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
        Tensor weight = new Draw(3).normal(4), before = weight.clone();
        Parameter p = Parameter.decaying(weight);
        try (Optimizer optimizer = new Optimizer(Map.of("p", p), Settings.STANDARD)) {
          p.addGradient(Tensor.create(new double[] {1, bad, 1, 1}, 4));
          assertThat(optimizer.step(0.1)).isNotIn(0.0, 1.0);
          assertThat(weight.equal(before)).isTrue();
          assertThat(optimizer.steps()).isZero();
          assertThat(p.gradient()).isNull();
          p.addGradient(Tensor.create(new double[] {1, 1, 1, 1}, 4));
          assertThat(optimizer.step(0.1)).isCloseTo(2, within(1e-12));
          assertThat(weight.isfinite().all().item_bool()).isTrue();
        }
        p.close();
      }
    }
  }

  @Test
  void matricesDecayAndNothingElse() {
    TinyModels.all()
        .forEach((family, config) -> {
          try (Scope scope = new Scope();
              LanguageModel model = LanguageModel.create(config, 0, ScalarType.Float)) {
            model
                .parameters()
                .forEach((name, p) -> {
                  boolean matrix =
                      name.matches(".*(_proj|embed_tokens|lm_head|\\.down|\\.up)\\.weight");
                  assertThat(p.decays()).as(family + ": " + name).isEqualTo(matrix);
                });
          }
        });
  }

  @Test
  void nonsenseIsRefused() {
    assertThatThrownBy(() -> new Settings(1, 0.9, 1e-8, 0, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Settings(0.9, -1, 1e-8, 0, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Settings(0.9, 0.9, 0, 0, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Settings(0.9, 0.9, 1e-8, -1, 0)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Settings(0.9, 0.9, 1e-8, Double.NaN, 0))
        .isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new Settings(0.9, 0.9, 1e-8, 0, Double.NaN))
        .isInstanceOf(BadInput.class);
  }
}
