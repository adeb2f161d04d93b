package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that run again in the backward pass give the gradients of those that did not. */
class RecomputeTest {
  @ParameterizedTest
  @ValueSource(strings = {"bmojo", "mamba", "hybrid", "sliding", "everything"})
  void gradientsOfLightAreTheSameToTheLastBit(String family) {
    gradientsAreTheSameToTheLastBit(family, Recompute.LIGHT);
  }

  @ParameterizedTest
  @ValueSource(strings = {"bmojo", "mamba", "hybrid", "sliding", "everything"})
  void gradientsOfBlocksAreTheSameToTheLastBit(String family) {
    gradientsAreTheSameToTheLastBit(family, Recompute.BLOCKS);
  }

  private static void gradientsAreTheSameToTheLastBit(String family, Recompute what) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(family));
    try (Scope scope = new Scope();
        LanguageModel model = TinyModels.model(config, 7, ScalarType.Float)) {
      Map<String, Tensor> kept = gradients(model);
      model.recompute(what);
      Map<String, Tensor> again = gradients(model);
      assertThat(again.keySet()).isEqualTo(kept.keySet());
      kept.forEach((name, g) ->
          assertThat(Objects.requireNonNull(again.get(name)).equal(g)).as(name).isTrue());
      boolean predicts = kept.keySet().stream().anyMatch(name -> name.contains("innovation"));
      assertThat(predicts).isEqualTo(family.equals("bmojo") || family.equals("everything"));
    }
  }

  /** Two passes of unequal weight, as batches that are accumulated. */
  private static Map<String, Tensor> gradients(LanguageModel model) {
    for (int pass = 0; pass < 2; pass++) {
      try (Scope scope = new Scope();
          Tape tape = Tape.recording()) {
        Var loss = model.loss(tape, TinyModels.batch(pass, 3, 13, true));
        tape.backward(loss, pass == 0 ? 0.3 : 0.7);
      }
    }
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    model
        .parameters()
        .forEach((name, p) -> {
          Tensor g = p.gradient();
          if (g != null) gradients.put(name, g.clone());
          p.clearGradient();
        });
    return gradients;
  }
}
