package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.tasks.Compression;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Suite;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class AutoencoderTest {
  /** Two layers that each see two tokens: the last vector knows the last three. */
  private static ModelConfig nearSighted() {
    var window = new AttentionConfig(1, 1, 16, 2, 0, 0, false, true, 10_000, null);
    return ModelConfig.uniform(7, 16, 2, new BlockConfig(new MixerConfig(null, window), 0));
  }

  private static Tensor logits(Autoencoder autoencoder, int... ids) {
    Tensor rows =
        torch.arange(
            new Scalar(0L), new Scalar((long) ids.length), new TensorOptions(ScalarType.Long));
    return autoencoder.logitsAt(Ids.tensor(new int[][] {ids}), rows); // (T, V)
  }

  /** Nothing but the last vector tells the tokens: one that it does not see changes nothing. */
  @Test
  void everyAnswerGoesThroughTheLastVector() {
    try (Scope _ = new Scope();
        LanguageModel encoder = LanguageModel.create(nearSighted(), 1);
        Autoencoder autoencoder = Autoencoder.create(encoder, Placement.CPU, 1)) {
      Tensor one = logits(autoencoder, 1, 2, 3, 4, 5, 6);
      Tensor unseen = logits(autoencoder, 5, 2, 4, 4, 5, 6);
      Tensor seen = logits(autoencoder, 1, 2, 3, 3, 5, 6);
      assertThat(one.sub(unseen).abs().max().item_double()).isZero();
      assertThat(one.sub(seen).abs().max().item_double()).isGreaterThan(1e-4);
      // Yet the places differ.
      assertThat(one.select(0, 0).sub(one.select(0, 1)).abs().max().item_double())
          .isGreaterThan(1e-3);
    }
  }

  @Test
  void aShortTextIsCompressedAndALongOneNotByAModelThatSeesItsEnd() {
    assertThat(recall(4)).isGreaterThan(0.9);
    // Three of thirteen are seen, the aggregation token among them; the others are one of six.
    assertThat(recall(13)).isLessThan(0.5);
  }

  private static double recall(int length) {
    Compression task = new Compression(new Compression.Config(7, length));
    Suite suite =
        Suite.of(
            "compression",
            1,
            List.of(new Suite.Part(task, Segment.ENDLESS)),
            List.of(new Suite.Part(task, 63)));
    ModelConfig model =
        length == 4 ? RecallModel.of(RecallModel.Family.TRANSFORMER).config(7) : nearSighted();
    return new RecallTrial(
            "autoencoder",
            model,
            null,
            suite,
            32,
            Schedule.cosine(1e-2, 200),
            Optimizer.Settings.STANDARD,
            4,
            1)
        .run(_ -> true)
        .recall();
  }
}
