package org.bmojo.model;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.mixer.StorageConfig;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** How large a model and its memory are, told from the configuration alone. */
public final class Footprint {
  /** Bytes of a float32, the type of states and, on the CPU, of keys and values. */
  private static final long FLOAT = 4;

  private Footprint() {}

  /**
   * Numbers in the weights by part, in reading order: {@code embedding}, {@code state space},
   * {@code attention}, {@code eidetic memory}, {@code perceptron}, {@code norms}, {@code head}.
   * Parts that the model lacks are left out.
   */
  public static Map<String, Long> parameters(ModelConfig config) {
    Map<String, Long> parts = new LinkedHashMap<>();
    long embedding = (long) config.vocabulary() * config.width();
    parts.put("embedding", embedding);
    Map<BlockConfig, Long> blocks = new LinkedHashMap<>();
    for (BlockConfig block : config.layers()) blocks.merge(block, 1L, Long::sum);
    Map<String, Long> inner = new LinkedHashMap<>();
    blocks.forEach((block, count) ->
        ofBlock(config, block).forEach((part, n) -> inner.merge(part, n * count, Long::sum)));
    inner.merge("norms", (long) config.width(), Long::sum); // the last one
    for (String part :
        new String[] {"state space", "attention", "eidetic memory", "perceptron", "norms"}) {
      if (inner.containsKey(part)) parts.put(part, inner.get(part));
    }
    if (!config.tied()) parts.put("head", embedding);
    return parts;
  }

  /** Counts one block's weights by naming them: the layers know best what they have. */
  private static Map<String, Long> ofBlock(ModelConfig config, BlockConfig block) {
    Map<String, Long> parts = new LinkedHashMap<>();
    ModelConfig alone = ModelConfig.uniform(1, config.width(), 1, block);
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.shapes(alone, ScalarType.Float)) {
      model
          .parameters()
          .forEach((name, p) -> {
            if (name.startsWith("layers.")) parts.merge(part(name), p.value().numel(), Long::sum);
          });
    }
    return parts;
  }

  private static String part(String name) {
    if (name.contains("_norm.weight") && !name.contains(".mixer.")) return "norms";
    if (name.contains(".mlp.")) return "perceptron";
    if (name.contains(".mixer.ssm.")) return "state space";
    boolean eidetic =
        name.matches(".*\\.mixer\\.(innovation|importance|filter|gamma|eidetic)\\b.*");
    return eidetic ? "eidetic memory" : "attention";
  }

  /** Bytes kept per sequence to go on after {@code tokens}, in float32, all layers together. */
  public static long stateBytes(ModelConfig config, long tokens) {
    long bytes = 0;
    for (BlockConfig block : config.layers()) {
      MixerConfig mixer = block.mixer();
      SsmConfig ssm = mixer.ssm();
      if (ssm != null) bytes += FLOAT * ssm.stateElements(config.width());
      bytes += attention(mixer.attention(), config.width(), tokens);
    }
    return bytes;
  }

  /**
   * Bytes that a Transformer of equal depth would keep: keys and values of every token, over as
   * many heads as the model's own attention has for them, or over its whole width where it has no
   * attention.
   */
  public static long transformerBytes(ModelConfig config, long tokens) {
    long heads =
        config.layers().stream()
            .map(block -> block.mixer().attention())
            .filter(Objects::nonNull)
            .findFirst()
            .map(a -> (long) a.kvHeads() * a.headDim())
            .orElse((long) config.width());
    return 2 * FLOAT * tokens * heads * config.layers().size();
  }

  private static long attention(@Nullable AttentionConfig config, int width, long tokens) {
    if (config == null) return 0;
    long entry = 2 * FLOAT * config.kvHeads() * config.headDim(); // a key and a value
    @Nullable Integer window = config.window();
    if (window == null) return tokens * entry;
    long bytes = window * entry;
    if (config.fading() > 0) bytes += (window + config.fading()) * entry;
    if (config.convolution() > 0) bytes += FLOAT * (config.convolution() - 1) * width;
    EideticConfig eidetic = config.eidetic();
    if (eidetic == null) return bytes;
    // Tokens that left the window wait up to C tokens for the next refresh, with their scores.
    bytes += eidetic.chunk() * entry + FLOAT * (window + eidetic.chunk());
    // Each kept token has its position, its score, and a bias for every query head.
    bytes += eidetic.capacity() * (entry + Long.BYTES + FLOAT * (1L + config.heads()));
    StorageConfig storage = eidetic.storage();
    if (storage == null) return bytes;
    // Without a store outside, every token stays, with its score and whether it may be stored.
    long places = (long) config.kvHeads() * Long.BYTES + FLOAT * config.heads();
    bytes += storage.retrieved() * (entry + places);
    bytes += (storage.queries() - 1L) * FLOAT * config.heads() * config.headDim();
    return bytes + tokens * (entry + 2 * FLOAT);
  }
}
