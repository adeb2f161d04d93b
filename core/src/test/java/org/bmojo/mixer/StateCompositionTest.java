package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.ModelState;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StateCompositionTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void weightsAndFusedStates(int chunks) throws URISyntaxException {
    Path file =
        Path.of(
            Objects.requireNonNull(getClass().getResource("/org/bmojo/foreign/picaso")).toURI());
    try (Scope scope = new Scope();
        Safetensors golden = Safetensors.open(file.resolve("golden.safetensors"))) {
      String n = "N" + chunks + ".";
      Tensor log = StateComposition.logWeights(golden.tensor(n + "log_A"));
      close(log, golden.tensor(n + "log_coef"));
      close(log.exp(), golden.tensor(n + "coef_linear"));
      Tensor states = golden.tensor(n + "states");
      close(StateComposition.weighted(log, states), golden.tensor(n + "fused_state"));
      Tensor matrices = StateComposition.matrixWeights(golden.tensor(n + "matrix_A"));
      close(matrices, golden.tensor(n + "matrix_coef"));
    }
  }

  /** One chunk composes to itself: the query goes on as if nothing had happened. */
  @Test
  void oneChunkIsItself() {
    BlockConfig block = new BlockConfig(new MixerConfig(Mamba2Config.standard(32), null), 0);
    ModelConfig config = ModelConfig.uniform(17, 32, 2, block);
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 3);
        ModelState state = model.newState(1)) {
      model.logits(Ids.tensor(new int[] {1, 5, 9, 3, 3, 7}), state);
      try (ModelState composed = model.compose(state)) {
        Tensor next = Ids.tensor(new int[] {4});
        close(model.step(next, composed), model.step(next, state));
      }
    }
  }

  /** Whatever the order of the chunks. */
  @Test
  void orderDoesNotMatter() {
    BlockConfig block = new BlockConfig(new MixerConfig(Mamba2Config.standard(32), null), 0);
    ModelConfig config = ModelConfig.uniform(17, 32, 2, block);
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 3);
        ModelState forth = model.newState(2);
        ModelState back = model.newState(2)) {
      Tensor a = Ids.tensor(new int[] {1, 5, 9, 3}), b = Ids.tensor(new int[] {2, 2, 8, 11});
      model.logits(cat(0, a, b), forth);
      model.logits(cat(0, b, a), back);
      try (ModelState one = model.compose(forth);
          ModelState other = model.compose(back)) {
        Tensor next = Ids.tensor(new int[] {4});
        close(model.step(next, one), model.step(next, other));
      }
    }
  }

  private static void close(Tensor actual, Tensor wanted) {
    double worst = actual.sub(wanted).abs().max().item_double();
    assertThat(worst).isLessThan(2e-5);
  }
}
