package org.bmojo.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.mixer.Threshold;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** One small model of every family, and ids for them. */
public final class TinyModels {
  /** Ids are 0 … 12. */
  public static final int VOCABULARY = 13;

  private static final MambaConfig MAMBA = new MambaConfig(3, 4, 2, 0);

  private TinyModels() {}

  /** By name. */
  public static Map<String, ModelConfig> all() {
    EideticConfig innovation = EideticConfig.of(4, 3, Selection.INNOVATION);
    EideticConfig everything =
        new EideticConfig(
            4, 2, Selection.INNOVATION, FarPositions.FIXED, 2, true, new Threshold(null, 0.3));
    EideticConfig importance = EideticConfig.of(4, 3, Selection.IMPORTANCE);
    EideticConfig filter =
        new EideticConfig(4, 3, Selection.FILTER, FarPositions.NONE, 0, true, null);
    BlockConfig transformer = new BlockConfig(new MixerConfig(null, attention(null, 0, null)), 12);
    BlockConfig sliding = new BlockConfig(new MixerConfig(null, attention(4, 0, null)), 12);
    BlockConfig mamba = new BlockConfig(new MixerConfig(MAMBA, null), 0);
    Map<String, ModelConfig> all = new LinkedHashMap<>();
    all.put("transformer", tied(transformer, transformer));
    all.put("sliding", tied(sliding, sliding));
    all.put("mamba", tied(mamba, mamba));
    all.put("hybrid", new ModelConfig(VOCABULARY, 8, 1e-5, false, List.of(mamba, sliding)));
    all.put("bmojo-f", tied(bmojo(null), bmojo(null)));
    all.put("bmojo", tied(bmojo(innovation), bmojo(innovation)));
    all.put("everything", tied(bmojo(everything), bmojo(importance)));
    StorageConfig mean = new StorageConfig(2, StorageConfig.Summary.MEAN, 1);
    all.put(
        "storage",
        tied(bmojo(innovation.with(mean)), bmojo(importance.with(StorageConfig.of(3, 2)))));
    all.put("filter", new ModelConfig(VOCABULARY, 8, 1e-5, false, List.of(bmojo(filter), mamba)));
    return all;
  }

  private static BlockConfig bmojo(@Nullable EideticConfig eidetic) {
    return new BlockConfig(new MixerConfig(MAMBA, attention(4, 3, eidetic)), 12);
  }

  private static AttentionConfig attention(
      @Nullable Integer window, int fading, @Nullable EideticConfig eidetic) {
    int taps = fading > 0 ? 4 : 0;
    return new AttentionConfig(2, 1, 4, window, fading, taps, fading > 0, true, 10_000, eidetic);
  }

  private static ModelConfig tied(BlockConfig... layers) {
    return new ModelConfig(VOCABULARY, 8, 1e-5, true, List.of(layers));
  }

  /** A model whose every parameter is a little off its initial value, so that all matter. */
  public static LanguageModel model(ModelConfig config, long seed, ScalarType type) {
    LanguageModel model = LanguageModel.create(config, seed, type);
    Draw draw = new Draw(seed);
    model
        .parameters()
        .forEach((name, p) -> {
          double by = name.endsWith("gamma") || name.startsWith("embed") ? 0.7 : 0.1;
          Tensor noise = draw.normal(Shapes.of(p.value()));
          p.value().add_(noise.mul(Tensors.scalar(by)).to(p.value().scalar_type()));
        });
    return model;
  }

  /** Random ids, each to be followed by the next; {@code gaps} leaves every third without label. */
  public static Batch batch(long seed, int rows, int tokens, boolean gaps) {
    SplittableRandom r = new SplittableRandom(seed);
    long[] ids = new long[rows * tokens], targets = new long[rows * tokens];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = r.nextInt(VOCABULARY);
      targets[i] = gaps && i % 3 == 1 ? LinearCrossEntropy.IGNORED : r.nextInt(VOCABULARY);
    }
    return Batch.of(ids, targets, rows);
  }

  /** Float64 copies of the weights, which libtorch may differentiate by. */
  public static Map<String, Tensor> leaves(LanguageModel model) {
    Map<String, Tensor> leaves = new LinkedHashMap<>();
    model
        .parameters()
        .forEach((name, p) ->
            leaves.put(name, p.value().to(ScalarType.Double).clone().set_requires_grad(true)));
    return leaves;
  }
}
