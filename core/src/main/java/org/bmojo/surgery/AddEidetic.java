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

/**
 * Long-term memory for a model that was trained without: every layer with a fading memory keeps the
 * verbatim keys and values of the tokens that score highest, and attends to them beside its window.
 * Nothing else changes, so that a sequence no longer than the window computes as before.
 */
public final class AddEidetic {
  private AddEidetic() {}

  /**
   * The same model with {@code eidetic} memory in every B'MOJO layer.
   *
   * @param source keeps its weights, which the result shares
   * @param seed of the scorers' fresh weights
   * @throws BadInput if no layer has a fading memory, or one has eidetic memory already
   */
  public static Operated to(LanguageModel source, EideticConfig eidetic, long seed) {
    ModelConfig config = source.config();
    List<BlockConfig> blocks = new ArrayList<>();
    boolean any = false;
    for (BlockConfig block : config.layers()) {
      AttentionConfig a = block.mixer().attention();
      boolean fades = a != null && a.fading() > 0;
      any |= fades;
      blocks.add(a == null || !fades ? block : with(block, a, eidetic));
    }
    if (!any) {
      throw new BadInput(
          "a model without fading memory",
          "expected a B'MOJO-F, in whose layers eidetic memory can stand beside it",
          "Prime one first, with BMF in the pattern");
    }
    try (Scope scope = new Scope()) {
      return Transplant.of(source, config.with(blocks), seed).done();
    }
  }

  private static BlockConfig with(BlockConfig block, AttentionConfig a, EideticConfig eidetic) {
    if (a.eidetic() != null) {
      throw new BadInput(
          "a layer that has eidetic memory already",
          "expected one without",
          "Give it another size, or use the model as it is");
    }
    return block.with(block.mixer().with(a.with(eidetic)));
  }
}
