package org.bmojo.foreign;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.foreign.Computed.distance;

import java.nio.file.Path;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.ModelState;
import org.bmojo.model.TinyModels;
import org.bmojo.surgery.AddEidetic;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

/** Whatever its sizes, a model is written and read without loss, and has three equal forms. */
class RandomModelsTest {
  @TempDir Path folder;

  static Stream<Arguments> models() {
    return RandomConfigs.WRITTEN.stream()
        .flatMap(name -> {
          int count = name.startsWith("Hybrid") ? 6 : 4;
          return Stream.iterate(0, i -> i < count, i -> i + 1)
              .map(seed -> Arguments.of(name, seed));
        });
  }

  private static ModelConfig read(ObjectNode config) {
    String name = Architectures.nameIn(config);
    Architecture architecture = Architectures.named(name);
    if (architecture == null) throw new AssertionError(name);
    return architecture.read(new Settings(config, name)).model();
  }

  @ParameterizedTest
  @MethodSource("models")
  void writtenAndReadTheSame(String architecture, long seed) {
    ObjectNode config = RandomConfigs.of(architecture, seed);
    ModelConfig made = read(config);
    Path first = folder.resolve("first"), second = folder.resolve("second");
    try (Scope scope = new Scope();
        LanguageModel model = TinyModels.model(made, seed, ScalarType.Float)) {
      Tensor ids = ids(made, seed);
      String written = Checkpoint.export(first, model, null, config);
      assertThat(written).as(config.toString()).isEqualTo(architecture);
      try (Checkpoint back = Checkpoint.open(first)) {
        assertThat(back.model().config()).isEqualTo(made);
        back.model()
            .parameters()
            .forEach((name, p) -> {
              Tensor saved = Objects.requireNonNull(model.parameters().get(name), name).value();
              assertThat(p.value().equal(saved)).as(name).isTrue();
            });
        assertThat(back.model().logits(ids, null).equal(model.logits(ids, null)))
            .as(config.toString())
            .isTrue();
        Checkpoint.export(second, back.model(), null, null);
      }
      try (Safetensors a = Safetensors.open(first);
          Safetensors b = Safetensors.open(second)) {
        assertThat(b.names()).isEqualTo(a.names());
        for (String name : a.names()) {
          assertThat(b.tensor(name).equal(a.tensor(name))).as(name).isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void formsAgree(String architecture, long seed) {
    ModelConfig made = read(RandomConfigs.of(architecture, seed));
    try (Scope scope = new Scope();
        LanguageModel model = TinyModels.model(made, seed, ScalarType.Double)) {
      assertFormsAgree(model, ids(made, seed));
      boolean fades =
          made.layers().stream()
              .map(block -> block.mixer().attention())
              .anyMatch(attention -> attention != null && attention.fading() > 0);
      if (!fades) return;
      SplittableRandom r = new SplittableRandom(seed);
      Selection[] rules = {Selection.INNOVATION, Selection.IMPORTANCE, Selection.FILTER};
      EideticConfig memory =
          EideticConfig.of(r.nextInt(1, 6), r.nextInt(1, 6), rules[(int) (seed % rules.length)]);
      try (LanguageModel remembering = AddEidetic.to(model, memory, seed).model()) {
        assertFormsAgree(remembering, ids(made, seed));
      }
    }
  }

  private static void assertFormsAgree(LanguageModel model, Tensor ids) {
    String what = model.config().toString();
    Tensor whole = model.logits(ids, null);
    try (ModelState chunked = model.newState(ids.size(0));
        ModelState stepped = model.newState(ids.size(0))) {
      Tensor parts = Computed.inParts(model, ids, chunked);
      assertThat(distance(parts, whole)).as("parts of " + what).isLessThan(1e-9);
      Tensor steps = Computed.inSteps(model, ids, stepped);
      assertThat(distance(steps, whole)).as("steps of " + what).isLessThan(1e-9);
    }
  }

  /** Two sequences of an odd length. */
  private static Tensor ids(ModelConfig config, long seed) {
    SplittableRandom r = new SplittableRandom(seed);
    long tokens = 1 + 2 * r.nextInt(8, 20);
    long[] ids = r.longs(2 * tokens, 0, config.vocabulary()).toArray();
    return Tensor.create(ids, 2, tokens);
  }
}
