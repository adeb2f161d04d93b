package org.bmojo.surgery;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;

/**
 * Memory in storage for a model with eidetic memory. It has no weights of its own: what comes back
 * is seen as eidetic keys are, which the model knows.
 */
public final class AddStorage {
  private AddStorage() {}

  /**
   * The same model with {@code storage} in every layer with eidetic memory, in place of what was
   * there.
   *
   * @param source keeps its weights, which the result shares
   * @throws BadInput if no layer has eidetic memory, or its positions are absolute
   */
  public static Operated to(LanguageModel source, StorageConfig storage) {
    ModelConfig config = source.config();
    List<BlockConfig> blocks = new ArrayList<>();
    boolean any = false;
    for (BlockConfig block : config.layers()) {
      AttentionConfig a = block.mixer().attention();
      EideticConfig eidetic = a == null ? null : a.eidetic();
      if (a == null || eidetic == null) {
        blocks.add(block);
        continue;
      }
      any = true;
      MixerConfig mixer = block.mixer().with(a.with(eidetic.with(storage)));
      blocks.add(new BlockConfig(mixer, block.mlp(), block.mlpBias(), block.experts()));
    }
    if (!any) {
      throw new BadInput(
          "a model without eidetic memory",
          "expected a B'MOJO, whose eidetic memory decides what goes to storage",
          "Add eidetic memory first");
    }
    ModelConfig widened =
        new ModelConfig(
            config.vocabulary(), config.width(), config.normEps(), config.tied(), blocks);
    try (Scope scope = new Scope()) {
      return Transplant.of(source, widened, 0).done();
    }
  }
}
