package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bmojo.train.Trainer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CheckpointTest {
  private static final Schedule SCHEDULE = Schedule.cosine(1e-2, 20);
  private static final TrainingState.Settings SETTINGS =
      new TrainingState.Settings(
          "a text", 5, 0.1, 2, 1, 13, 7, SCHEDULE, Optimizer.Settings.STANDARD);

  @TempDir Path home = Path.of("");

  @ParameterizedTest
  @EnumSource(names = {"Float", "Double"})
  void weightsComeBackBitForBit(ScalarType type) {
    Path folder = home.resolve("deep/model");
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(Models.mixed(257), 1, type)) {
      Checkpoint.save(folder, model, new ByteTokenizer());
      try (Checkpoint saved = Checkpoint.open(folder)) {
        assertThat(saved.model().config()).isEqualTo(model.config());
        assertThat(saved.tokenizer()).isInstanceOf(ByteTokenizer.class);
        assertThat(saved.training()).isNull();
        model
            .parameters()
            .forEach((name, p) -> {
              Tensor loaded = Objects.requireNonNull(saved.model().parameters().get(name)).value();
              assertThat(loaded.scalar_type().intern()).isEqualTo(type);
              assertThat(loaded.equal(p.value())).as(name).isTrue();
            });
        Tensor ids = Ids.tensor(new int[] {1, 2, 256, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13});
        assertThat(saved.model().logits(ids, null).equal(model.logits(ids, null))).isTrue();
      }
    }
  }

  @Test
  void aModelWithoutTokenizerIsStillAModel() throws Exception {
    Path folder = home.resolve("model");
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Checkpoint.save(folder, model, null);
    }
    try (Checkpoint saved = Checkpoint.open(folder)) {
      assertThat(saved.hasTokenizer()).isFalse();
      assertThatThrownBy(saved::tokenizer)
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll(folder.toString(), "tokenizer.json", "takes ids");
    }
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      Checkpoint.save(folder, model, new ByteTokenizer());
    }
    Files.delete(folder.resolve("tokenizer.json"));
    try (Checkpoint saved = Checkpoint.open(folder)) {
      assertThat(saved.hasTokenizer()).isFalse();
    }
  }

  /** 20 updates at once, or 10, a save, and 10 more in another object: the same losses exactly. */
  @Test
  void trainingGoesOnWithTheSameLosses() {
    Path folder = home.resolve("model");
    List<Double> whole = new ArrayList<>();
    List<Double> parts = new ArrayList<>();
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, SCHEDULE)) {
      trainer.run(n -> List.of(batch(n)), s -> whole.add(s.loss()));
    }
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Trainer trainer = new Trainer(model, Optimizer.Settings.STANDARD, SCHEDULE)) {
      trainer.run(n -> List.of(batch(n)), s -> parts.add(s.loss()) && s.number() < 10);
      TrainingState state = new TrainingState(10, new BatchSource.Position(3, 4), SETTINGS);
      Checkpoint.save(folder, model, null, trainer.optimizer(), state);
    }
    try (Checkpoint saved = Checkpoint.open(folder);
        Trainer trainer = new Trainer(saved.model(), Optimizer.Settings.STANDARD, SCHEDULE)) {
      TrainingState state = Objects.requireNonNull(saved.training());
      assertThat(state.step()).isEqualTo(10);
      assertThat(state.position()).isEqualTo(new BatchSource.Position(3, 4));
      assertThat(state.settings()).isEqualTo(SETTINGS);
      saved.restore(trainer.optimizer());
      trainer.run(n -> List.of(batch(n)), s -> parts.add(s.loss()));
    }
    assertThat(whole).hasSize(20);
    assertThat(parts).isEqualTo(whole);
  }

  @Test
  void aRunsFolderStandsForItsModel() {
    Path run = home.resolve("run");
    assertThat(Checkpoint.exists(run)).isFalse();
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Checkpoint.save(run.resolve("model"), model, null);
      assertThat(Checkpoint.exists(run)).isTrue();
      assertThat(Checkpoint.config(run)).isEqualTo(model.config());
    }
    Checkpoint.open(run).close();
  }

  /** A kill between the two renames of a save leaves the folder under its hidden name. */
  @Test
  void aKillWhileSavingLeavesTheOldModel() throws Exception {
    Path folder = home.resolve("model");
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Checkpoint.save(folder, model, null);
    }
    Files.move(folder, home.resolve(".model.previous"));
    assertThat(Checkpoint.exists(folder)).isTrue();
    Checkpoint.open(folder).close();
  }

  private static Batch batch(long number) {
    SplittableRandom random = new SplittableRandom(number);
    long[] ids = random.longs(26, 0, 63).toArray();
    return Batch.of(ids, random.longs(26, 0, 63).toArray(), 2);
  }
}
