package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallModel.Family;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.Suite;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A model may learn with less room than it is asked with. */
class RoomInTrainingTest {
  private static final ModelConfig ASKED = RecallModel.of(Family.BMOJO).config(64);

  private static RecallTrial trial(@Nullable Integer room) {
    Mqar task = new Mqar(new Mqar.Config(64, 32, 4, 1, false, 1));
    Suite suite =
        Suite.of("room", 3, List.of(new Suite.Part(task, 24)), List.of(new Suite.Part(task, 4)));
    return new RecallTrial(
        "room", ASKED, room, suite, 8, Schedule.cosine(1e-2, 3), Optimizer.Settings.STANDARD, 8, 1);
  }

  @Test
  void whatIsAskedHasTheModelsOwnRoomAndWhatLittleRoomTaught() {
    try (Scope _ = new Scope();
        var little = trial(1).train(Placement.CPU, _ -> true);
        var own = trial(null).train(Placement.CPU, _ -> true);
        LanguageModel fresh = LanguageModel.create(ASKED, 1)) {
      assertThat(little.model().config()).isEqualTo(ASKED);
      assertThat(little.losses()).isNotEqualTo(own.losses());
      // Trained at all, and otherwise.
      assertThat(same(little.model(), fresh)).isFalse();
      assertThat(same(little.model(), own.model())).isFalse();
    }
  }

  @Test
  void asMuchRoomAsItsOwnChangesNothing() {
    int own = Objects.requireNonNull(RecallModel.of(Family.BMOJO).resolved().eidetic());
    try (Scope _ = new Scope();
        var one = trial(own).train(Placement.CPU, _ -> true);
        var other = trial(null).train(Placement.CPU, _ -> true)) {
      assertThat(same(one.model(), other.model())).isTrue();
      assertThat(trial(own).test(one, _ -> {})).isEqualTo(trial(null).test(other, _ -> {}));
    }
  }

  @Test
  void roomIsForModelsThatRemember() {
    assertThatThrownBy(() -> options(Family.MAMBA, 4)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> options(Family.BMOJO, 0)).isInstanceOf(BadInput.class);
  }

  private static RecallModel options(Family family, int trained) {
    return new RecallModel(
        family, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, trained, null, null, null, null, null, null, null, null);
  }

  private static boolean same(LanguageModel a, LanguageModel b) {
    var others = b.parameters();
    return a.parameters().entrySet().stream()
        .allMatch(e ->
            e.getValue().value().equal(Objects.requireNonNull(others.get(e.getKey())).value()));
  }
}
