package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.AttentionDetails;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The program for one token beside the layers' other forms, which have tests of their own. */
class TokenStepTest {
  private static final int VOCABULARY = 37;
  private static final List<Selection> CONTROLS =
      List.of(Selection.RANDOM, Selection.RECENT, Selection.STRIDE, Selection.NONE);

  record Case(String name, ModelConfig config, Format format) {
    @Override
    public String toString() {
      return name + ", " + format;
    }
  }

  static Stream<Case> cases() {
    Map<String, ModelConfig> configs = new LinkedHashMap<>();
    MambaConfig mamba = new MambaConfig(5, 4, 2, 3), wide = new MambaConfig(21, 3, 2, 0);
    EideticConfig fixed = EideticConfig.of(6, 7, Selection.INNOVATION);
    EideticConfig none =
        new EideticConfig(3, 4, Selection.INNOVATION, FarPositions.NONE, 2, true, null);
    configs.put("transformer", model(24, null, attention(4, 2, 6, null, 0, 0, false, null)));
    configs.put("sliding", model(24, null, attention(3, 3, 8, 9, 0, 3, true, null)));
    configs.put("mamba", model(24, mamba, null));
    configs.put("mamba, wide", model(136, wide, null));
    configs.put(
        "bmojo-f", model(144, MambaConfig.standard(), attention(4, 1, 64, 5, 11, 4, false, null)));
    configs.put("bmojo", model(24, mamba, attention(2, 1, 34, 9, 8, 4, true, fixed)));
    configs.put(
        "scale-free",
        model(24, mamba, attention(2, 1, 34, 9, 8, 4, true, fixed.predictingFrom(true))));
    configs.put("no positions", model(24, mamba, attention(6, 3, 4, 6, 5, 0, false, none)));
    configs.put("contextual", model(24, mamba, attention(2, 1, 34, 9, 8, 4, true, contextual())));
    EideticConfig unplaced =
        new EideticConfig(3, 4, Selection.CONTEXTUAL, FarPositions.NONE, 0, false, null);
    AttentionConfig narrow = attention(6, 3, 4, 6, 5, 0, false, unplaced.startingAt(3));
    configs.put("contextual, no positions", model(24, mamba, narrow));
    AttentionConfig rare = attention(4, 1, 64, 5, 11, 4, false, contextual());
    configs.put("contextual, few layers", mixed(136, wide, rare));
    EideticConfig early = EideticConfig.of(5, 3, Selection.CONTEXTUAL).eligible(true);
    configs.put("early", model(24, mamba, attention(3, 1, 8, 7, 4, 0, false, early)));
    EideticConfig important = EideticConfig.of(5, 3, Selection.IMPORTANCE).startingAt(-1);
    configs.put("importance", model(24, mamba, attention(3, 1, 8, 7, 4, 0, false, important)));
    configs.put(
        "importance, no state", model(24, null, attention(3, 3, 8, 5, 0, 0, true, important)));
    Stream<Case> packed =
        configs.entrySet().stream()
            .flatMap(
                e -> Stream.of(Format.values()).map(f -> new Case(e.getKey(), e.getValue(), f)));
    return Stream.concat(packed, CONTROLS.stream().map(TokenStepTest::control));
  }

  /** A selection without weights of its own. */
  private static Case control(Selection selection) {
    EideticConfig kept =
        new EideticConfig(
            4, 5, selection, FarPositions.FIXED, 0, selection == Selection.RANDOM, null);
    AttentionConfig attention = attention(2, 2, 6, 8, 3, 3, false, kept);
    MambaConfig mamba = new MambaConfig(5, 4, 2, 3);
    return new Case(selection.toString(), model(24, mamba, attention), Format.FP32);
  }

  /** Closed at first, as the presets are: what is kept counts for little, but it counts. */
  private static EideticConfig contextual() {
    return EideticConfig.of(6, 7, Selection.CONTEXTUAL).startingAt(-4);
  }

  private static AttentionConfig attention(
      int heads,
      int groups,
      int dim,
      @Nullable Integer window,
      int fading,
      int taps,
      boolean normed,
      @Nullable EideticConfig eidetic) {
    var details = new AttentionDetails(heads == 4, heads == 4, 1e-6, null, null, false, false);
    return new AttentionConfig(
        heads, groups, dim, window, fading, taps, normed, true, 10_000, eidetic, details);
  }

  private static ModelConfig model(
      int width, @Nullable MambaConfig mamba, @Nullable AttentionConfig attention) {
    MixerConfig mixer = new MixerConfig(mamba, attention, mamba != null && attention != null);
    BlockConfig block = new BlockConfig(mixer, 29, attention != null, null);
    BlockConfig bare = new BlockConfig(mixer, 0);
    return new ModelConfig(VOCABULARY, width, 1e-5, false, List.of(block, bare, block));
  }

  /** Most layers are Mamba alone. */
  private static ModelConfig mixed(int width, MambaConfig mamba, AttentionConfig attention) {
    BlockConfig whole = new BlockConfig(new MixerConfig(mamba, attention, true), 0);
    BlockConfig alone = new BlockConfig(new MixerConfig(mamba, null), 0);
    return new ModelConfig(VOCABULARY, width, 1e-5, false, List.of(alone, whole, alone, whole));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void saysWhatTheWholeSequenceSays(Case c) {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(c.config, 1, ScalarType.Float);
        LanguageModel truth = TinyModels.model(c.config, 1, ScalarType.Float)) {
      model.pack(c.format);
      unpack(model, truth);
      Tensor ids = ids(2, 41);
      Tensor wanted = truth.logits(ids, null); // (1, T, V)
      assertThat(model.tokenStep()).isNotNull();
      try (ModelState state = model.newState(1)) {
        for (int t = 0; t < 41; t++) {
          Tensor logits = model.step(ids.narrow(1, t, 1), state);
          assertWithin("token " + t, logits, wanted.select(1, t), 2e-4);
        }
        assertThat(state.position()).isEqualTo(41);
      }
    }
  }

  /** The same numbers, in float32. */
  private static void unpack(LanguageModel from, LanguageModel to) {
    Map<String, Parameter> packed = from.parameters();
    to.parameters()
        .forEach((name, p) -> {
          var matrix = Objects.requireNonNull(packed.get(name)).packed();
          if (matrix != null) p.value().copy_(matrix.unpacked());
        });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void takesTurnsWithTheOtherForms(Case c) {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(c.config, 3, ScalarType.Float)) {
      model.pack(c.format);
      Tensor ids = ids(4, 35);
      try (ModelState a = model.newState(1);
          ModelState b = model.newState(2)) {
        for (int t = 0; t < 35; ) {
          int count = t % 17 == 3 ? 3 : 1; // twice three rows are few still
          Tensor some = ids.narrow(1, t, count), twice = some.expand(2, count);
          // Two rows at once take the general step.
          Tensor mine = count == 1 ? model.step(some, a) : model.lastLogits(some, a);
          Tensor other = count == 1 ? model.step(twice, b) : model.lastLogits(twice, b);
          t += count;
          assertWithin("token " + t, mine, other.narrow(0, 0, 1), 2e-4);
        }
      }
    }
  }

  @Test
  void readsWeightsAnewAfterTraining() {
    ModelConfig config = model(24, new MambaConfig(5, 4, 2, 3), null);
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config, 5, ScalarType.Float);
        LanguageModel other = TinyModels.model(config, 6, ScalarType.Float);
        ModelState first = model.newState(1);
        ModelState second = model.newState(1);
        ModelState third = other.newState(1)) {
      Tensor id = ids(7, 1);
      Tensor before = model.step(id, first);
      model.copyWeights(other);
      Tensor after = model.step(id, second);
      assertThat(after.equal(before)).isFalse();
      assertThat(after.equal(other.step(id, third))).isTrue();
    }
  }

  private static Tensor ids(long seed, int count) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] ids = random.ints(count, 0, VOCABULARY).toArray();
    return Ids.tensor(new int[][] {ids});
  }
}
