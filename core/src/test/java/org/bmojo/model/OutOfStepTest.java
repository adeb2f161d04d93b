package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Sequences at different positions in one batch compute what each computes alone. */
class OutOfStepTest {
  private static final int STEPS = 11;

  static Stream<String> names() {
    return TinyModels.all().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void aBatchOfAnyPositionsIsItsSequencesAlone(String name) {
    ModelConfig config = config(name);
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config, 1, ScalarType.Double);
        ModelState batch = model.newState(0)) {
      int[][] ids = {ids(1, 1), ids(2, 13), ids(3, 4), ids(4, 29)};
      List<ModelState> alone = new ArrayList<>();
      for (int[] prompt : ids) {
        ModelState state = model.newState(1);
        model.lastLogits(Ids.tensor(prompt), state);
        batch.append(state);
        alone.add(state);
      }
      SplittableRandom random = new SplittableRandom(5);
      for (int step = 0; step < STEPS; step++) {
        if (step == 4) leave(batch, alone, 1); // from the middle
        if (step == 6) batch.retain(2, 0, 1); // an order of its own
        if (step == 6) alone.add(0, alone.remove(2));
        int[][] next = new int[alone.size()][];
        for (int r = 0; r < next.length; r++) {
          next[r] = new int[] {random.nextInt(TinyModels.VOCABULARY)};
        }
        Tensor together = model.step(Ids.tensor(next), batch);
        for (int r = 0; r < next.length; r++) {
          Tensor wanted = model.step(Ids.tensor(next[r]), alone.get(r));
          assertWithin(name + ", step " + step, together.narrow(0, r, 1), wanted, 1e-12);
          same(batch, r, alone.get(r));
        }
      }
      alone.forEach(ModelState::close);
    }
  }

  private static void leave(ModelState batch, List<ModelState> alone, int row) {
    batch.retain(0, 2, 3);
    alone.remove(row).close();
  }

  private static void same(ModelState batch, int row, ModelState one) {
    assertThat(batch.position(row)).isEqualTo(one.position());
    try (ModelState own = batch.copy(row)) {
      Map<String, Tensor> wanted = one.tensors();
      own.tensors()
          .forEach((part, tensor) -> {
            Tensor other = wanted.get(part);
            if (other == null) throw new AssertionError(part);
            // A batch's full attention has room for its longest sequence, as storage's past has.
            boolean past = part.contains(".storage.past_");
            if (past || part.endsWith(".k.rows") || part.endsWith(".v.rows")) {
              long rows = Math.min(tensor.size(1), other.size(1));
              tensor = tensor.narrow(1, 0, rows);
              other = other.narrow(1, 0, rows);
            }
            assertThat(tensor.allclose(other, 1e-9, 1e-11, true)).as(part).isTrue();
          });
    }
  }

  @Test
  void aCopyGoesItsOwnWay() {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config("everything"), 1, ScalarType.Double);
        ModelState state = model.newState(1)) {
      model.lastLogits(Ids.tensor(ids(1, 17)), state);
      try (ModelState fork = state.copy(0);
          ModelState other = state.copy(0)) {
        model.step(Ids.tensor(new int[] {3}), fork);
        model.lastLogits(Ids.tensor(ids(2, 9)), fork);
        Tensor untouched = model.step(Ids.tensor(new int[] {5}), state);
        Tensor same = model.step(Ids.tensor(new int[] {5}), other);
        assertThat(untouched.equal(same)).isTrue();
        assertThat(fork.position()).isEqualTo(27);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void aFilledStateGoesOnLikeItsOrigin(String name) {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config(name), 1, ScalarType.Double);
        ModelState origin = model.newState(1);
        ModelState filled = model.newState(1)) {
      model.lastLogits(Ids.tensor(ids(1, 21)), origin);
      Map<String, Tensor> parts = origin.tensors();
      filled.fill(parts, origin.position());
      for (int id = 0; id < 9; id++) {
        Tensor a = model.step(Ids.tensor(new int[] {id}), origin);
        assertThat(a.equal(model.step(Ids.tensor(new int[] {id}), filled))).isTrue();
      }
    }
  }

  @Test
  void foreignPartsAreRefusedAndSoAreSeveralTokensOutOfStep() {
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config("bmojo"), 1, ScalarType.Float);
        LanguageModel other = TinyModels.model(config("transformer"), 1, ScalarType.Float);
        ModelState state = model.newState(1);
        ModelState foreign = other.newState(1);
        ModelState both = model.newState(1)) {
      refused(() -> state.fill(foreign.tensors(), 3), "a state with tensors");
      Map<String, Tensor> fewer = new LinkedHashMap<>(state.tensors());
      fewer.keySet().removeIf(part -> part.startsWith("1."));
      refused(() -> state.fill(fewer, 3), "a state with tensors");
      Map<String, Tensor> wrong = new LinkedHashMap<>(state.tensors());
      wrong.replaceAll((_, tensor) -> tensor.unsqueeze(0));
      refused(() -> state.fill(wrong, 3), "expected");
      refused(() -> foreign.fill(foreign.tensors(), 17), "room for 16 tokens");
      model.lastLogits(Ids.tensor(ids(1, 5)), state);
      both.append(state);
      refused(() -> model.lastLogits(Ids.tensor(new int[][] {{1, 2}, {3, 4}}), both), "in step");
    }
  }

  private static void refused(Runnable action, String words) {
    assertThatThrownBy(action::run).isInstanceOf(BadInput.class).hasMessageContaining(words);
  }

  private static ModelConfig config(String name) {
    ModelConfig config = TinyModels.all().get(name);
    if (config == null) throw new AssertionError(name);
    return config;
  }

  private static int[] ids(long seed, int count) {
    return new SplittableRandom(seed).ints(count, 0, TinyModels.VOCABULARY).toArray();
  }
}
