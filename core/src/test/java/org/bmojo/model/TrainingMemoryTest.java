package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingMemoryTest {
  private static final int VOCABULARY = 50_304;
  private static final Placement NARROW = new Placement("cuda:0", ScalarType.BFloat16);
  private static final Placement WIDE = new Placement("cuda:0", ScalarType.Float);

  /** libtorch's peak of allocated bytes on an H100, in bfloat16. */
  @ParameterizedTest
  @CsvSource({
    "transformer-130m, 16, 13.4",
    "mamba-130m, 16, 22.8",
    "transformer-1.4b, 4, 39.5",
    "mamba-1.4b, 4, 51.9"
  })
  void isWhatWasMeasured(String preset, int batch, double gigabytes) {
    ModelConfig config = Presets.named(preset, VOCABULARY);
    TrainingMemory memory = TrainingMemory.of(config, batch, 2048, NARROW, Recompute.NONE);
    assertThat(memory.total() / 1e9).isCloseTo(gigabytes, within(0.05 * gigabytes));
  }

  /** The same of ten layers with all memories, each with a perceptron of 1,280: 21.6 GB. */
  @Test
  void isWhatWasMeasuredWithAttentionInEveryLayer() {
    EideticConfig eidetic = EideticConfig.of(128, 128, Selection.INNOVATION);
    AttentionConfig attention =
        new AttentionConfig(12, 12, 64, 512, 512, 4, false, true, 10_000, eidetic);
    MixerConfig mixer = new MixerConfig(MambaConfig.standard(), attention, true);
    ModelConfig config = ModelConfig.uniform(VOCABULARY, 768, 10, new BlockConfig(mixer, 1280));
    TrainingMemory memory = TrainingMemory.of(config, 16, 2048, NARROW, Recompute.NONE);
    assertThat(memory.total() / 1e9).isCloseTo(21.6, within(0.05 * 21.6));
  }

  @Test
  void float32TakesTwiceTheActivationsAndNoMasters() {
    ModelConfig config = Presets.named("transformer-130m", VOCABULARY);
    TrainingMemory narrow = TrainingMemory.of(config, 13, 207, NARROW, Recompute.NONE);
    TrainingMemory wide = TrainingMemory.of(config, 13, 207, WIDE, Recompute.NONE);
    assertThat(wide.masters()).isZero();
    assertThat(wide.weights()).isEqualTo(narrow.masters()).isEqualTo(2 * narrow.weights());
    assertThat((double) wide.activations() / narrow.activations()).isBetween(1.9, 2.0);
  }

  @Test
  void recomputationKeepsOneBlock() {
    ModelConfig config = Presets.named("bmojo-130m", VOCABULARY);
    TrainingMemory kept = TrainingMemory.of(config, 16, 2048, NARROW, Recompute.NONE);
    TrainingMemory again = TrainingMemory.of(config, 16, 2048, NARROW, Recompute.BLOCKS);
    assertThat((double) again.activations() / kept.activations()).isBetween(0.1, 0.25);
    assertThat(again.weights()).isEqualTo(kept.weights());
  }

  @Test
  void lightRecomputationSavesAQuarter() {
    for (String name : new String[] {"bmojo-130m", "mamba-130m"}) {
      ModelConfig config = Presets.named(name, VOCABULARY);
      TrainingMemory kept = TrainingMemory.of(config, 16, 2048, NARROW, Recompute.NONE);
      TrainingMemory again = TrainingMemory.of(config, 16, 2048, NARROW, Recompute.LIGHT);
      assertThat((double) again.activations() / kept.activations()).isBetween(0.6, 0.78);
    }
  }
}
