package org.bmojo.surgery;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/** The layers of a model that have eidetic memory. */
final class EideticLayers {
  private EideticLayers() {}

  static boolean any(ModelConfig config) {
    return config.layers().stream().anyMatch(block -> memory(block) != null);
  }

  /**
   * The same model with {@code change} made to every one of them, of which no weight knows.
   *
   * @param source keeps its weights, which the result shares
   */
  static Operated changed(LanguageModel source, UnaryOperator<EideticConfig> change) {
    try (Scope scope = new Scope()) {
      return Transplant.of(source, changed(source.config(), change), 0).done();
    }
  }

  static ModelConfig changed(ModelConfig config, UnaryOperator<EideticConfig> change) {
    List<BlockConfig> blocks = new ArrayList<>();
    for (BlockConfig block : config.layers()) {
      AttentionConfig a = block.mixer().attention();
      EideticConfig memory = memory(block);
      blocks.add(
          a == null || memory == null
              ? block
              : block.with(block.mixer().with(a.with(change.apply(memory)))));
    }
    return config.with(blocks);
  }

  private static @Nullable EideticConfig memory(BlockConfig block) {
    AttentionConfig a = block.mixer().attention();
    return a == null ? null : a.eidetic();
  }
}
