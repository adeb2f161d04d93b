package org.bmojo.surgery;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/**
 * Another size for the eidetic memory that a model has. No weight knows of it: a model that learnt
 * with little room, and so to choose sharply, may be asked with more, and the other way round.
 */
public final class ResizeEidetic {
  private ResizeEidetic() {}

  /** Whether any layer has eidetic memory. */
  public static boolean remembers(LanguageModel model) {
    return model.config().layers().stream().anyMatch(block -> memory(block) != null);
  }

  /**
   * The same model with room for {@code capacity} tokens in every layer with eidetic memory.
   *
   * @param source keeps its weights, which the result shares
   * @param chunk tokens between refreshes; null for as many as before
   * @throws BadInput if no layer has eidetic memory
   */
  public static Operated to(LanguageModel source, int capacity, @Nullable Integer chunk) {
    if (!remembers(source)) {
      throw new BadInput(
          "a model without eidetic memory", "expected a B'MOJO", "Add eidetic memory first");
    }
    ModelConfig config = source.config();
    List<BlockConfig> blocks = new ArrayList<>();
    for (BlockConfig block : config.layers()) {
      AttentionConfig a = block.mixer().attention();
      EideticConfig memory = memory(block);
      if (a == null || memory == null) {
        blocks.add(block);
        continue;
      }
      EideticConfig sized = memory.sized(capacity, chunk == null ? memory.chunk() : chunk);
      blocks.add(
          new BlockConfig(
              block.mixer().with(a.with(sized)), block.mlp(), block.mlpBias(), block.experts()));
    }
    ModelConfig resized =
        new ModelConfig(
            config.vocabulary(), config.width(), config.normEps(), config.tied(), blocks);
    try (Scope scope = new Scope()) {
      return Transplant.of(source, resized, 0).done();
    }
  }

  private static @Nullable EideticConfig memory(BlockConfig block) {
    AttentionConfig a = block.mixer().attention();
    return a == null ? null : a.eidetic();
  }
}
