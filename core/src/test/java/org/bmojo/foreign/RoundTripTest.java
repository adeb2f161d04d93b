package org.bmojo.foreign;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** What is read and written again is the same, bit for bit. */
class RoundTripTest {
  static final List<String> MODELS = List.of(Fixture.MODELS);

  @TempDir Path folder;

  @ParameterizedTest
  @FieldSource("MODELS")
  void foreignModels(String name) {
    Fixture fixture = Fixture.of(name);
    Path copy = folder.resolve("copy");
    try (Scope scope = new Scope();
        Checkpoint original = fixture.open();
        Safetensors golden = fixture.golden()) {
      var config = Json.foreignTree(fixture.folder().resolve("config.json"));
      String written = Checkpoint.export(copy, original.model(), null, config);
      assertThat(written).isEqualTo(Architectures.nameIn(config));
      try (Safetensors before = Safetensors.open(fixture.folder());
          Safetensors after = Safetensors.open(copy)) {
        assertThat(after.names()).isEqualTo(before.names());
        for (String tensor : before.names()) {
          assertThat(after.entry(tensor).dtype()).isEqualTo(before.entry(tensor).dtype());
          assertThat(after.tensor(tensor).equal(before.tensor(tensor))).as(tensor).isTrue();
        }
      }
      try (Checkpoint again = Checkpoint.open(copy)) {
        assertThat(again.model().config()).isEqualTo(original.model().config());
        assertSameLogits(again.model(), original.model(), golden.tensor("input_ids"));
      }
    }
  }

  /** In bfloat16 the decays, float32 while they are used, are written as they were. */
  @ParameterizedTest
  @FieldSource("MODELS")
  void narrowModels(String name) {
    Path narrow = folder.resolve("narrow"), again = folder.resolve("again");
    ModelConfig config = Fixture.of(name).translation().model();
    try (Scope scope = new Scope();
        LanguageModel model = LanguageModel.create(config, 1, ScalarType.BFloat16)) {
      model
          .parameters()
          .values()
          .forEach(p -> {
            Tensor rounded = p.value().to(ScalarType.BFloat16).to(p.value().scalar_type());
            p.value().copy_(rounded);
          });
      Checkpoint.export(narrow, model, null, null);
      try (Checkpoint first = Checkpoint.open(narrow)) {
        Checkpoint.export(again, first.model(), null, null);
      }
      try (Safetensors a = Safetensors.open(narrow);
          Safetensors b = Safetensors.open(again)) {
        for (String tensor : a.names()) {
          assertThat(a.entry(tensor).dtype().name()).as(tensor).isEqualTo("BF16");
          assertThat(b.tensor(tensor).equal(a.tensor(tensor))).as(tensor).isTrue();
        }
      }
    }
  }

  @Test
  void mamba2WithInfiniteLimit() {
    Mamba2Config layer = Mamba2Config.standard(64);
    BlockConfig block = new BlockConfig(new MixerConfig(layer, null), 0);
    ModelConfig config = ModelConfig.uniform(31, 64, 2, block);
    var writing = Objects.requireNonNull(Architectures.writing(config));
    assertThat(writing.config().toString()).contains("{\"__float__\":\"Infinity\"}");
    assertThat(writing.translation().model()).isEqualTo(config);
  }

  private static void assertSameLogits(LanguageModel actual, LanguageModel wanted, Tensor ids) {
    assertThat(actual.logits(ids, null).equal(wanted.logits(ids, null))).isTrue();
  }
}
