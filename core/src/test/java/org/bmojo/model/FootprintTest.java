package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FootprintTest {
  static List<String> small() {
    return SmallPresets.names().stream().filter(n -> n.matches(".*(tiny|small|medium)")).toList();
  }

  @ParameterizedTest
  @MethodSource("small")
  void partsAddUpToTheModel(String name) {
    ModelConfig config = SmallPresets.named(name, 63);
    try (LanguageModel model = LanguageModel.create(config, 1)) {
      assertThat(Footprint.parameters(config).values().stream().mapToLong(n -> n).sum())
          .isEqualTo(model.parameterCount());
    }
  }

  @Test
  void everyPartIsTold() {
    ModelConfig config = Models.mixed(63);
    Map<String, Long> parts = Footprint.parameters(config);
    assertThat(parts.keySet())
        .containsExactly(
            "embedding",
            "state space",
            "attention",
            "eidetic memory",
            "perceptron",
            "norms",
            "head");
    assertThat(parts).containsEntry("perceptron", 3L * 13 * 16).containsEntry("norms", 4L * 16);
    try (LanguageModel model = LanguageModel.create(config, 1)) {
      assertThat(parts.values().stream().mapToLong(n -> n).sum()).isEqualTo(model.parameterCount());
    }
  }

  /** By hand for a B'MOJO layer of width 16 and a window layer. */
  @Test
  void stateBytesAreCounted() {
    long ssm = 32 * (3 + 4 - 1); // channels · (states + convolution's memory)
    long entry = 2 * 1 * 4; // key and value of one head
    long window = (5 + 4) * entry; // W + C
    long fading = (5 + 4) * entry; // W + F
    long convolution = (3 - 1) * 16;
    long kept = 3 * (entry + 2 + 1 + 2) + 5 + 4; // entries, int64 positions, scores, biases; tail
    long second = 7 * 2 * 2 * 8;
    long floats = ssm + window + fading + convolution + kept + second;
    assertThat(Footprint.stateBytes(Models.mixed(63), 1 << 20)).isEqualTo(4 * floats);
  }

  @Test
  void onlyFullAttentionGrows() {
    ModelConfig transformer = SmallPresets.named("transformer-tiny", 63);
    ModelConfig mamba = SmallPresets.named("mamba-tiny", 63);
    assertThat(Footprint.stateBytes(transformer, 1000))
        .isEqualTo(Footprint.transformerBytes(transformer, 1000))
        .isEqualTo(2L * 2 * 64 * 4 * 1000);
    assertThat(Footprint.stateBytes(mamba, 1)).isEqualTo(Footprint.stateBytes(mamba, 1 << 30));
  }

  @Test
  void aTransformerIsComparedWithItself() {
    AttentionConfig grouped = new AttentionConfig(6, 2, 10, null, 0, 0, true, true, 1e4, null);
    BlockConfig block = new BlockConfig(new MixerConfig(null, grouped), 12);
    ModelConfig config = ModelConfig.uniform(63, 21, 3, block);
    assertThat(Footprint.stateBytes(config, 207))
        .isEqualTo(Footprint.transformerBytes(config, 207))
        .isEqualTo(4L * 2 * 2 * 10 * 3 * 207);
  }
}
