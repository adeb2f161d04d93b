package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.junit.jupiter.api.Test;

/**
 * The claim this project stands on, small: with equal memory and equal training, B'MOJO recalls
 * what its parts do not. Its parts reach about 0.24 (window), 0.12 (Mamba) and 0.04 (B'MOJO-F) of
 * its 0.84.
 */
class RecallClaimTest {
  private static final int VOCABULARY = 40;
  private static final int PAIRS = 4;
  private static final int WIDTH = 32;
  private static final int WINDOW = 4;
  private static final int STEPS = 250;
  private static final int SEED = 1;

  private static final EqualState EQUAL =
      new EqualState(VOCABULARY, WIDTH, 2, WINDOW, WINDOW, PAIRS, WINDOW, Selection.IMPORTANCE);

  @Test
  void bmojoIsMoreThanItsParts() {
    RecallTrial.Result bmojo = train(EQUAL.bmojo());
    RecallTrial.Result window = train(EQUAL.sliding());
    RecallTrial.Result mamba = train(EQUAL.mamba());
    RecallTrial.Result fading = train(withoutEidetic());
    assertThat(window.stateBytes()).isBetween(bmojo.stateBytes() * 9 / 10, bmojo.stateBytes());
    assertThat(mamba.stateBytes()).isBetween(bmojo.stateBytes() * 9 / 10, bmojo.stateBytes());
    assertThat(bmojo.recall()).isGreaterThan(0.6);
    for (RecallTrial.Result part : List.of(window, mamba, fading)) {
      assertThat(part.recall()).isLessThan(0.4);
    }
  }

  private static ModelConfig withoutEidetic() {
    ModelConfig bmojo = EQUAL.bmojo();
    MixerConfig mixer = bmojo.layers().getFirst().mixer();
    AttentionConfig attention = Objects.requireNonNull(mixer.attention()).with(null);
    BlockConfig block = new BlockConfig(new MixerConfig(mixer.ssm(), attention), 0);
    return ModelConfig.uniform(VOCABULARY, WIDTH, bmojo.layers().size(), block);
  }

  private static RecallTrial.Result train(ModelConfig model) {
    Mqar task = new Mqar(new Mqar.Config(VOCABULARY, 36, PAIRS, 1, false, 1));
    Suite suite =
        Suite.of(
            "claim",
            SEED,
            List.of(new Suite.Part(task, Segment.ENDLESS)),
            List.of(new Suite.Part(task, 64)));
    Schedule schedule = Schedule.cosine(1e-2, STEPS);
    return new RecallTrial(
            "claim", model, suite, 16, schedule, Optimizer.Settings.STANDARD, WINDOW, SEED)
        .run(_ -> true);
  }
}
