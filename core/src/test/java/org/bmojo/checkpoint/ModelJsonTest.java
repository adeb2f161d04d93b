package org.bmojo.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.Threshold;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Models;
import org.bmojo.model.SmallPresets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ModelJsonTest {
  static List<String> presets() {
    return SmallPresets.names();
  }

  @ParameterizedTest
  @MethodSource("presets")
  void everyPresetComesBack(String name) {
    ModelConfig config = SmallPresets.named(name, 207);
    assertThat(ModelJson.read(ModelJson.write(config), "json")).isEqualTo(config);
  }

  @Test
  void everySwitchComesBack() {
    EideticConfig eidetic =
        new EideticConfig(
            1, 13, Selection.FILTER, FarPositions.ABSOLUTE, 5, true, new Threshold(null, 0.75));
    MixerConfig mixer =
        new MixerConfig(
            new MambaConfig(7, 2, 1, 3),
            new AttentionConfig(6, 3, 2, 1, 13, 2, true, false, 0.1, eidetic));
    ModelConfig config = ModelConfig.uniform(1, 63, 2, new BlockConfig(mixer, 0));
    assertThat(ModelJson.read(ModelJson.write(config), "json")).isEqualTo(config);
    assertThat(ModelJson.write(config).toString()).contains("\"repeat\":2", "\"filter\"");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // a key nobody knows, one that is missing, one of the wrong type
        "\"tied\":false|\"tied\":false,\"dropout\":0.1|dropout",
        "\"tied\":false,||tied",
        "\"width\":16|\"width\":\"wide\"|wide",
        "\"kind\":\"mamba\"|\"kind\":\"rwkv\"|rwkv",
        "\"innovation\"|\"surprise\"|surprise",
        // values that contradict each other
        "\"heads\":2,\"kvHeads\":1|\"heads\":2,\"kvHeads\":3|2 query heads over 3",
        "\"window\":5|\"window\":null|full attention with fading",
        "\"repeat\":1|\"repeat\":0|repeat 0",
        "\"vocabulary\":63|\"vocabulary\":0|vocabulary 0"
      })
  void whatIsWrongIsNamed(String found, String replacement, String named) {
    String json = ModelJson.write(Models.mixed(63)).toString();
    assertThat(json).contains(found);
    String broken = json.replace(found, replacement == null ? "" : replacement);
    assertThatThrownBy(() -> ModelJson.read(Json.tree(broken.getBytes(UTF_8), "c.json"), "c.json"))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(named);
  }
}
