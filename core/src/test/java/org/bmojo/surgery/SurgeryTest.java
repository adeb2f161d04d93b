package org.bmojo.surgery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.foreign.HybridPlan;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.TinyModels;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class SurgeryTest {
  private static final Tensor IDS = Ids.tensor(new int[] {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8});

  private static LanguageModel transformer() {
    AttentionConfig attention = new AttentionConfig(4, 2, 8, null, 0, 0, true, true, 10_000, null);
    BlockConfig block = new BlockConfig(new MixerConfig(null, attention), 48);
    return LanguageModel.create(ModelConfig.uniform(13, 32, 4, block), 1);
  }

  /** While no token has left the window, a primed B'MOJO-F is the Transformer it came from. */
  @Test
  void primedHybridBeginsAsTheTransformer() {
    try (Scope scope = new Scope();
        LanguageModel source = transformer()) {
      Operated hybrid = Priming.prime(source, new HybridPlan("*-BMF-SWA-BMF", 12, "gdn"), 5);
      try (LanguageModel model = hybrid.model()) {
        assertThat(worst(model.logits(IDS, null), source.logits(IDS, null))).isLessThan(1e-5);
        assertThat(hybrid.fresh())
            .contains("layers.1.mixer.ssm.A_log", "layers.3.mixer.ssm.b_proj.weight")
            .noneMatch(name -> name.contains("layers.0.") || name.contains("layers.2."))
            .noneMatch(name -> name.contains("q_proj") || name.contains("g_proj"));
      }
      Operated narrow = Priming.prime(source, new HybridPlan("*-BMF-SWA-BMF", 4, "gdn"), 5);
      try (LanguageModel model = narrow.model()) {
        assertThat(worst(model.logits(IDS, null), source.logits(IDS, null))).isGreaterThan(1e-3);
      }
    }
  }

  @Test
  void mamba2BeginsWithTheAttentionsMaps() {
    try (Scope scope = new Scope();
        LanguageModel source = transformer()) {
      Operated hybrid = Priming.prime(source, new HybridPlan("M2-*-GKA-*", 4, "mamba2"), 5);
      try (LanguageModel model = hybrid.model()) {
        Tensor in = weight(model, "layers.0.mixer.ssm.in_proj.weight"); // z 32, x 16, B 16, C 32, 4
        assertThat(in.narrow(0, 32, 16).equal(weight(source, "layers.0.mixer.v_proj.weight")))
            .isTrue();
        assertThat(in.narrow(0, 48, 16).equal(weight(source, "layers.0.mixer.k_proj.weight")))
            .isTrue();
        assertThat(in.narrow(0, 64, 32).equal(weight(source, "layers.0.mixer.q_proj.weight")))
            .isTrue();
        assertThat(
                weight(model, "layers.0.mixer.ssm.out_proj.weight")
                    .equal(weight(source, "layers.0.mixer.o_proj.weight")))
            .isTrue();
        assertThat(hybrid.fresh())
            .contains("layers.0.mixer.ssm.in_proj.weight (the last 4 rows: step sizes)")
            .contains("layers.2.mixer.ssm.alpha_proj.weight")
            .doesNotContain("layers.2.mixer.ssm.g_proj.weight");
        assertThat(model.logits(IDS, null).isfinite().all().item_bool()).isTrue();
      }
    }
  }

  @Test
  void eideticMemoryChangesNothingWithinTheWindow() {
    try (Scope scope = new Scope();
        LanguageModel source = transformer();
        LanguageModel fading =
            Priming.prime(source, new HybridPlan("*-BMF-*-BMF", 3, "mamba2"), 5).model()) {
      EideticConfig memory = EideticConfig.of(4, 2, Selection.INNOVATION);
      Operated remembering = AddEidetic.to(fading, memory, 7);
      try (LanguageModel model = remembering.model()) {
        assertThat(remembering.fresh())
            .containsExactlyInAnyOrder(
                "layers.1.mixer.innovation.down.weight",
                "layers.1.mixer.innovation.up.weight",
                "layers.3.mixer.innovation.down.weight",
                "layers.3.mixer.innovation.up.weight");
        Tensor few = IDS.narrow(1, 0, 3).contiguous();
        assertThat(worst(model.logits(few, null), fading.logits(few, null))).isLessThan(1e-6);
        assertThat(worst(model.logits(IDS, null), fading.logits(IDS, null))).isGreaterThan(1e-4);
      }
      assertThatThrownBy(() -> AddEidetic.to(source, memory, 7))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("without fading memory");
    }
  }

  @Test
  void eideticMemoryIsResizedAndNothingElse() {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get("bmojo"));
    try (Scope scope = new Scope();
        LanguageModel source = TinyModels.model(config, 3, ScalarType.Double);
        LanguageModel more = ResizeEidetic.to(source, 9, null).model();
        LanguageModel back = ResizeEidetic.to(more, capacity(config), null).model()) {
      assertThat(capacity(more.config())).isEqualTo(9);
      assertThat(back.config()).isEqualTo(config);
      assertThat(worst(back.logits(IDS, null), source.logits(IDS, null))).isZero();
      assertThat(worst(more.logits(IDS, null), source.logits(IDS, null))).isPositive();
    }
  }

  /** Whether the state joins the output is the layer's, and stays as it was. */
  @Test
  void addedMemoryLeavesTheStateWhereItWas() {
    AttentionConfig fading = new AttentionConfig(2, 1, 4, 4, 3, 0, true, true, 10_000, null);
    MixerConfig mixer = new MixerConfig(new MambaConfig(3, 4, 2, 0), fading, true);
    ModelConfig config = ModelConfig.uniform(13, 8, 2, new BlockConfig(mixer, 12));
    try (Scope scope = new Scope();
        LanguageModel source = LanguageModel.create(config, 1);
        LanguageModel remembering =
            AddEidetic.to(source, EideticConfig.of(4, 2, Selection.RECENT), 7).model();
        LanguageModel storing = AddStorage.to(remembering, StorageConfig.of(2, 1)).model()) {
      assertThat(storing.config().layers())
          .allSatisfy(block -> assertThat(block.mixer().stateOutput()).isTrue());
    }
  }

  private static int capacity(ModelConfig config) {
    return config.layers().stream()
        .flatMap(block -> Stream.ofNullable(block.mixer().attention()))
        .flatMap(a -> Stream.ofNullable(a.eidetic()))
        .findFirst()
        .orElseThrow()
        .capacity();
  }

  private static Tensor weight(LanguageModel model, String name) {
    return Objects.requireNonNull(model.parameters().get(name), name).value();
  }

  private static double worst(Tensor a, Tensor b) {
    return a.sub(b).abs().max().item_double();
  }
}
