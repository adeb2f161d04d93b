package org.bmojo.model;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionWeights;
import org.bmojo.mixer.AttentionWeights.Seen;
import org.bmojo.mixer.MixerState;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The layers' part is proved by {@code AttentionWeightsTest}; here, that the model asks rightly.
 */
class AttentionTraceTest {
  static Stream<Map.Entry<String, ModelConfig>> models() {
    return TinyModels.all().entrySet().stream();
  }

  private static ModelConfig bmojo() {
    return requireNonNull(TinyModels.all().get("bmojo"));
  }

  private static int[] ids(int length) {
    return new SplittableRandom(length).ints(length, 0, TinyModels.VOCABULARY).toArray();
  }

  @ParameterizedTest
  @MethodSource("models")
  void everyLayerWithAttentionTellsOfTheLastToken(Map.Entry<String, ModelConfig> named) {
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(named.getValue(), 3)) {
      long attending =
          named.getValue().layers().stream().filter(b -> b.mixer().attention() != null).count();
      for (int length : new int[] {1, 2, 13, 63}) {
        try (ModelState state = model.newState(1)) {
          AttentionTrace trace = AttentionTrace.of(model, ids(length), state);
          assertThat(trace.position()).isEqualTo(length - 1);
          assertThat(state.position()).isEqualTo(length);
          assertThat(trace.layers()).hasSize((int) attending);
          for (AttentionTrace.Layer layer : trace.layers()) check(layer, length);
        }
      }
    }
  }

  private static void check(AttentionTrace.Layer layer, int length) {
    AttentionWeights w = layer.weights();
    double all =
        AttentionWeights.share(w.window())
            + AttentionWeights.share(w.fading())
            + AttentionWeights.share(w.eidetic())
            + w.storage();
    assertThat(all).isCloseTo(1, within(1e-12));
    assertThat(w.window().getLast().position()).isEqualTo(length - 1);
  }

  /** What follows is as if nobody had looked. */
  @Test
  void lookingChangesNothing() {
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(bmojo(), 3);
        ModelState seen = model.newState(1);
        ModelState unseen = model.newState(1)) {
      int[] ids = ids(29);
      AttentionTrace.of(model, ids, seen);
      model.lastLogits(Ids.tensor(Arrays.copyOf(ids, 28)), unseen);
      model.generalStep(Ids.column(ids[28]), unseen);
      assertWithin("next", model.step(Ids.column(1), seen), model.step(Ids.column(1), unseen), 0);
    }
  }

  /** A token that eidetic memory holds is seen with the weight that its layer gives it. */
  @Test
  void eideticTokensAreThoseHeld() {
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(bmojo(), 3);
        ModelState state = model.newState(1)) {
      AttentionTrace trace = AttentionTrace.of(model, ids(63), state);
      for (AttentionTrace.Layer layer : trace.layers()) {
        MixerState own = state.layers().get(layer.layer());
        Tensor positions = requireNonNull(own.eideticPositions());
        long[] held = new long[(int) positions.numel()];
        new LongPointer(positions.contiguous().data_ptr()).get(held);
        assertThat(layer.weights().eidetic().stream().mapToLong(Seen::position).toArray())
            .isEqualTo(Arrays.stream(held).filter(p -> p >= 0).toArray())
            .isNotEmpty();
      }
    }
  }

  @Test
  void nothingToExplainIsRefused() {
    try (LanguageModel model = LanguageModel.create(bmojo(), 3);
        ModelState one = model.newState(1);
        ModelState two = model.newState(2)) {
      assertThatThrownBy(() -> AttentionTrace.of(model, new int[0], one))
          .isInstanceOf(BadInput.class);
      assertThatThrownBy(() -> AttentionTrace.of(model, ids(3), two)).isInstanceOf(BadInput.class);
    }
  }
}
