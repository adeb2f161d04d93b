package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What a device's program for one token must say: the same as the layers' own steps, computed in
 * float64 by the reference room. Layers of every kind that a program knows, of random and awkward
 * sizes.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class TokenProgramContract {
  private static final int VOCABULARY = 61, PROMPT = 3, TOKENS = 50, SEEDS = 3;
  private static final int[] WIDTHS = {13, 40, 63, 136};

  /** Where the program runs. */
  abstract Device device();

  /** What the program knows. */
  abstract Stream<Kind> kinds();

  /** That it is the program that will be tried. */
  abstract void assertProgram(LanguageModel model, Decoder decoder);

  /** A layer's kind, and what its sizes are drawn from. */
  record Case(Kind kind, long seed) {
    ModelConfig config() {
      Random random = new Random(31 * seed + kind.ordinal());
      int width = WIDTHS[random.nextInt(WIDTHS.length)];
      // Layers that rotate must agree; a warp holds no more than 32 where loads are single numbers.
      int dim = Math.min(32, 2 * (1 + random.nextInt(17)));
      BlockConfig state = new BlockConfig(new MixerConfig(mamba(random, width), null), 0);
      BlockConfig first = kind.block(random, width, dim);
      BlockConfig second = kind.block(random, width, dim);
      // Scores of a first layer without a state would tell equal tokens apart by nothing.
      return new ModelConfig(
          VOCABULARY, width, 1e-5, random.nextBoolean(), List.of(state, first, second));
    }
  }

  /** Of layers. */
  enum Kind {
    MAMBA,
    TRANSFORMER,
    SLIDING,
    FADING,
    INNOVATION,
    CONTEXTUAL,
    IMPORTANCE,
    COMBINED;

    private @Nullable EideticConfig eidetic(Random random, int window) {
      Selection selection =
          switch (this) {
            case INNOVATION -> Selection.INNOVATION;
            case CONTEXTUAL -> Selection.CONTEXTUAL;
            case IMPORTANCE -> Selection.IMPORTANCE;
            case COMBINED -> Selection.COMBINED;
            default -> null;
          };
      if (selection == null) return null;
      return EideticConfig.of(1 + random.nextInt(9), 1 + random.nextInt(window), selection)
          .eligible(random.nextBoolean());
    }

    BlockConfig block(Random random, int width, int dim) {
      int inner = random.nextBoolean() ? 0 : 1 + random.nextInt(70);
      if (this == MAMBA) return new BlockConfig(new MixerConfig(mamba(random, width), null), inner);
      int groups = 1 + random.nextInt(3), heads = groups * (1 + random.nextInt(3));
      boolean alone = this == TRANSFORMER || this == SLIDING;
      int window = 1 + random.nextInt(16);
      int fading = alone ? 0 : 1 + random.nextInt(13);
      int taps = alone || random.nextBoolean() ? 0 : 2 + random.nextInt(3);
      var attention =
          new AttentionConfig(
              heads,
              groups,
              dim,
              this == TRANSFORMER ? null : Integer.valueOf(window),
              fading,
              taps,
              false,
              true,
              10_000,
              eidetic(random, window));
      return new BlockConfig(
          new MixerConfig(alone ? null : mamba(random, width), attention, !alone), inner);
    }
  }

  /** Of as many channels as the CPU's program wants, a multiple of 16. */
  private static MambaConfig mamba(Random random, int width) {
    int expand = width % 8 == 0 ? 2 : 16;
    return new MambaConfig(
        1 + random.nextInt(20), 2 + random.nextInt(4), expand, random.nextInt(8));
  }

  Stream<Case> cases() {
    return kinds()
        .flatMap(kind -> IntStream.range(0, SEEDS).mapToObj(seed -> new Case(kind, seed)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void saysWhatTheLayersStepsSay(Case c) {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(c.config(), c.seed, ScalarType.Float);
        LanguageModel truth = TinyModels.model(c.config(), c.seed, ScalarType.Double)) {
      truth.copyWeights(model);
      assertThat(Kernels.of(truth.headWeight().value()).name()).isEqualTo("reference");
      model.parameters().values().forEach(p -> p.place(device(), ScalarType.Float, false));
      Tensor ids = differentIds(c.seed);
      try (ModelState own = model.newState(1);
          ModelState eager = truth.newState(1);
          Decoder decoder = Decoder.of(model)) {
        assertProgram(model, decoder);
        truth.lastLogits(ids.narrow(1, 0, PROMPT), eager);
        model.lastLogits(ids.narrow(1, 0, PROMPT), own);
        decoder.join(own);
        for (int t = PROMPT; t < TOKENS; t++) {
          try (Scope _ = new Scope()) {
            Tensor id = ids.narrow(1, t, 1);
            assertWithin("token " + t, decoder.step(id), truth.step(id, eager), 2e-4);
          }
        }
      }
    }
  }

  /** Equal tokens could have equal scores, and rounding would choose between them. */
  private static Tensor differentIds(long seed) {
    List<Integer> ids = new ArrayList<>(IntStream.range(0, VOCABULARY).boxed().toList());
    Collections.shuffle(ids, new Random(seed));
    return Ids.tensor(new int[][] {ids.stream().mapToInt(i -> i).limit(TOKENS).toArray()});
  }
}
