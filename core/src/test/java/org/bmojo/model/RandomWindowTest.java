package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.tape.Tape;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class RandomWindowTest {
  private static final int WINDOW = 13;

  /** A window of so many tokens, without eidetic memory. */
  private static ModelConfig config(int window) {
    var attention = new AttentionConfig(2, 1, 4, window, 0, 0, false, true, 10_000, null);
    return ModelConfig.uniform(
        TinyModels.VOCABULARY, 8, 2, new BlockConfig(new MixerConfig(null, attention), 12));
  }

  @Test
  void aNarrowedModelIsOneMadeSo() {
    try (Scope _ = new Scope();
        LanguageModel wide = TinyModels.model(config(WINDOW), 1, ScalarType.Double);
        LanguageModel narrow = TinyModels.model(config(5), 1, ScalarType.Double)) {
      Batch batch = TinyModels.batch(1, 2, 63, false);
      double own = mean(wide, batch), wanted = mean(narrow, batch);
      assertThat(own).isNotCloseTo(wanted, within(1e-6));
      wide.narrowWindows(5.0 / WINDOW);
      assertThat(mean(wide, batch)).isEqualTo(wanted, within(1e-12));
      wide.narrowWindows(1);
      assertThat(mean(wide, batch)).isEqualTo(own, within(1e-12));
    }
  }

  @Test
  void windowsVaryFromBatchToBatchAndAreWholeBetween() {
    ModelConfig bmojo = Objects.requireNonNull(TinyModels.all().get("bmojo"));
    for (ModelConfig config : List.of(config(WINDOW), bmojo)) {
      try (Scope _ = new Scope();
          LanguageModel model = TinyModels.model(config, 1, ScalarType.Double)) {
        Batch batch = TinyModels.batch(1, 2, 63, false);
        double own = mean(model, batch);
        RandomWindow random = new RandomWindow(model, model, 0.25, 1);
        Set<Double> losses = new HashSet<>();
        for (int i = 0; i < 13; i++) {
          try (Tape tape = Tape.recording()) {
            var loss = random.loss(tape, batch);
            losses.add(loss.value().item_double());
            tape.backward(loss, 1);
          }
          assertThat(mean(model, batch)).isEqualTo(own, within(1e-12));
        }
        assertThat(losses).hasSizeGreaterThan(1);
        assertThatThrownBy(() -> new RandomWindow(model, model, 0, 1)).isInstanceOf(BadInput.class);
      }
    }
  }

  private static double mean(LanguageModel model, Batch batch) {
    try (Scope _ = new Scope()) {
      return model.losses(batch, null).mean().item_double();
    }
  }
}
